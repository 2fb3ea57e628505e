"""What more labels would gain: told where there is something to tell by, and withheld elsewhere."""

from __future__ import annotations

import numpy as np
import pytest

from graft.analysis.more_labels import Gain, describe_gain, foretell_gain
from graft.analysis.refits import Pictures, classify_parts


def draw(count: int, spread: float, seed: int, classes: int = 3, copies: int = 1) -> Pictures:
    """Clouds of features around the corners of a simplex, as wide as ``spread``."""
    random = np.random.default_rng(seed)
    labels = np.arange(count) % classes
    features = np.eye(classes, 20)[labels] + spread * random.normal(size=(count, 20))
    repeated = (np.repeat(part, copies, axis=0) for part in (features, labels, np.arange(count)))
    return Pictures(*repeated)


@pytest.fixture(scope="module")
def found() -> Gain:
    return foretell_gain(draw(120, 0.6, seed=1), train=90, more=90, seed=0)


def test_where_errors_fall_the_interval_is_above_zero_and_holds_what_comes_true(found) -> None:
    assert found.withheld == ""
    assert 0 < found.low <= found.gain <= found.high
    # What a like classifier gains with so many, measured on thousands of others.
    fresh = draw(3000, 0.6, seed=99)
    share = [
        np.mean([
            classify_parts(draw(size, 0.6, seed), fresh, np.zeros((1, size)), 1.0).mean()
            for seed in range(60)
        ])
        for size in (90, 180)
    ]  # fmt: skip
    assert found.low <= share[1] - share[0] <= found.high


def test_fewer_labels_would_gain_less_and_the_same_seed_says_the_same(found) -> None:
    pictures = draw(120, 0.6, seed=1)
    assert foretell_gain(pictures, train=90, more=10, seed=0).gain < found.gain
    assert foretell_gain(pictures, train=90, more=90, seed=0) == found


@pytest.mark.parametrize(
    ("pictures", "reason"),
    [
        (draw(90, 0.5, 0, classes=1), "fewer than two classes have labels"),
        (draw(24, 0.5, 0), "fewer than 30 pictures that are not tied to others"),
        (draw(20, 0.5, 0, copies=5), "fewer than 30 pictures that are not tied to others"),
        (draw(40, 0.5, 0, classes=10), "40 labels of 10 classes outside test are too few"),
        (draw(60, 0.01, 0), "makes no mistake on the labels that there are"),
    ],
)
def test_it_is_withheld_where_nothing_supports_it(pictures: Pictures, reason: str) -> None:
    found = foretell_gain(pictures, len(pictures.labels), 30, seed=0)
    assert reason in found.withheld
    assert np.isnan([found.gain, found.low, found.high]).all()
    assert describe_gain(found, 40).startswith("What more labels would gain cannot be told: ")


def test_labels_that_were_asked_for_are_said_to_promise_too_much() -> None:
    told = [describe_gain(Gain(0.01, 0.001, 0.02), 40, share) for share in (0.05, 0.4)]
    assert told[0] == "Another 40 labels would gain about 1.0 points of accuracy (0.1 to 2.0)."
    assert told[1].startswith(f"{told[0]} Rather less: 40 % of the labels were asked for")


def test_a_gain_that_rounds_to_nothing_is_told_as_a_bound() -> None:
    told = describe_gain(Gain(0.0002, 0.0, 0.0031), 40)
    assert told == "Another 40 labels would gain at most 0.3 points of accuracy."
