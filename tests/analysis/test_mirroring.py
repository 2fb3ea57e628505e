"""Whether pictures may be mirrored: what is shown to be harmless, and nothing else."""

from __future__ import annotations

import numpy as np
import pytest

from graft.analysis.mirroring import judge_mirroring

NAMES = ["a", "b", "c"]


def judge(plain, mirrored, labels=None, clusters=None) -> dict:
    count = len(plain)
    labels = np.arange(count) % 3 if labels is None else labels
    clusters = np.arange(count) if clusters is None else clusters
    return judge_mirroring(plain, mirrored, labels, clusters, NAMES)


def flip(right: np.ndarray, *places: int) -> np.ndarray:
    changed = right.copy()
    changed[list(places)] ^= True
    return changed


RIGHT = flip(np.ones(240, bool), 0, 1, 2, 3)


@pytest.mark.parametrize(
    ("changed", "is_allowed"),
    [
        ((), True),
        ((0, 9), True),  # one is right now, another wrong
        ((6, 7, 8), True),  # three of 240 worse, a point and a quarter, error included below two
        (range(10, 20), False),  # ten of 240: four points
    ],
)
def test_a_loss_of_two_points_error_included_is_allowed(changed, is_allowed) -> None:
    assert judge(RIGHT, flip(RIGHT, *changed))["is_allowed"] == is_allowed


def test_few_clusters_allow_nothing_even_if_nothing_changes() -> None:
    for count, is_allowed in ((49, False), (50, True)):
        right = np.ones(count, bool)
        assert judge(right, right)["is_allowed"] == is_allowed
    right = np.ones(240, bool)
    assert not judge(right, right, clusters=np.arange(240) // 6)["is_allowed"]
    assert not judge(right, right, clusters=np.zeros(240))["is_allowed"]


def test_two_classes_that_mirror_each_other_speak_against_it_though_they_are_few() -> None:
    count = 2000
    right = np.ones(count, bool)
    labels = np.where(np.arange(count) < 12, np.arange(count) % 2, 2)
    found = judge(right, flip(right, *range(12)), labels)
    assert found["worse"] == ["a", "b"]
    assert not found["is_allowed"]
    # One picture of a class, or as many better as worse, does not.
    assert judge(right, flip(right, 0), labels)["is_allowed"]
    before = flip(right, 0, 2, 4)
    assert judge(before, flip(before, *range(0, 12, 2)), labels)["is_allowed"]


def test_it_says_what_it_measured() -> None:
    found = judge(RIGHT, flip(RIGHT, 0, 1, 10))
    assert found["pictures"] == 240
    assert found["accuracy"] == pytest.approx(236 / 240)
    assert found["mirrored_accuracy"] == pytest.approx(237 / 240)
    assert 0 < found["error"] < 0.02
