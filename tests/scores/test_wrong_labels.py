"""The number of wrong labels: near the truth, or not told; and never said where there are none."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import softmax

from graft.scores.wrong_labels import FEW, estimate_wrong_labels

pytestmark = pytest.mark.filterwarnings("error")


def make_judge(
    *, spread, count=1500, classes=4, flips=0.0, sureness=1.0, expects=0.0, size=1, seed=0
):
    """Labels of which a share is wrong, and what a judge says.

    It is calibrated with regard to the true classes but for its ``sureness``, an exponent;
    ``expects`` is the share of wrong labels that it has learnt to reckon with.
    """
    random = np.random.default_rng(seed)
    logits = spread * random.normal(size=(count // size, classes))
    right = softmax(logits, axis=1)
    truth = (right.cumsum(axis=1) > random.random((len(right), 1))).argmax(axis=1)
    clusters = np.repeat(np.arange(len(truth)), size)
    truth, given = truth[clusters], right[clusters]
    wrong = random.random(len(truth)) < flips
    labels = np.where(wrong, (truth + random.integers(1, classes, len(truth))) % classes, truth)
    given = (1 - expects) * given + expects * (1 - given) / (classes - 1)
    powers = given**sureness
    return labels, powers / powers.sum(axis=1, keepdims=True), clusters, float(wrong.mean())


def estimate(**options):
    labels, probabilities, clusters, truth = make_judge(**options)
    return estimate_wrong_labels(labels, probabilities, clusters, 0.95), truth


GOOD, FAIR, BAD = 30.0, 8.0, 1.0


@pytest.mark.parametrize("sureness", [0.5, 1, 4])
@pytest.mark.parametrize("classes", [2, 10])
@pytest.mark.parametrize("flips", [0.06, 0.1, 0.3])
def test_a_good_judge_tells_the_number_however_sure_it_is(flips, classes, sureness):
    found, truth = estimate(spread=GOOD, flips=flips, classes=classes, sureness=sureness)
    assert found.verdict == "about"
    assert found.low <= truth <= found.high
    assert found.share == pytest.approx(truth, rel=0.25)


@pytest.mark.parametrize("spread", [GOOD, FAIR, BAD])
@pytest.mark.parametrize("sureness", [0.5, 1, 4])
@pytest.mark.parametrize("flips", [0.02, 0.05, 0.1, 0.2])
def test_what_is_told_is_within_a_factor_of_two_whoever_judges(flips, sureness, spread):
    found, truth = estimate(spread=spread, flips=flips, sureness=sureness)
    if found.verdict == "about":
        assert truth / 2 <= found.share <= 2 * truth
    elif found.verdict == "at_most":
        assert truth <= found.high


@pytest.mark.parametrize("spread", [GOOD, FAIR, BAD])
@pytest.mark.parametrize("sureness", [0.5, 1, 4])
@pytest.mark.parametrize("size", [1, 5])
def test_without_wrong_labels_never_more_than_two_percent_are_said(size, sureness, spread):
    found, _ = estimate(spread=spread, sureness=sureness, size=size)
    assert found.verdict != "about"
    assert found.verdict == "withheld" or found.high <= FEW


def test_a_good_judge_says_that_hardly_any_are_wrong():
    assert estimate(spread=GOOD)[0].verdict == "at_most"


def test_a_judge_that_hardly_knows_the_classes_tells_nothing():
    for flips in (0.0, 0.1):
        assert estimate(spread=BAD, flips=flips, classes=40)[0].verdict == "withheld"


def test_a_judge_that_has_learnt_to_expect_wrong_labels_does_not_call_them_few():
    found, truth = estimate(spread=GOOD, flips=0.1, expects=0.1)
    assert found.share < 0.01  # nothing surprises it …
    assert found.verdict == "withheld"  # … which proves nothing
    assert found.high > truth


def test_pictures_that_belong_together_are_no_evidence_of_their_own():
    alone, _ = estimate(spread=FAIR)
    labels, probabilities, clusters, _ = make_judge(spread=FAIR, count=150)
    ten = np.repeat(np.arange(150), 10)
    together = estimate_wrong_labels(labels[ten], probabilities[ten], clusters[ten], 0.95)
    single = estimate_wrong_labels(labels, probabilities, clusters, 0.95)
    assert together.high == pytest.approx(single.high, rel=0.2)
    assert alone.high < together.high / 2


@pytest.mark.parametrize("right", [True, False])
def test_one_picture_tells_nothing(right):
    probabilities = np.array([[1.0, 0.0]])
    found = estimate_wrong_labels(np.array([0 if right else 1]), probabilities, np.zeros(1), 0.95)
    assert found.verdict == "withheld"


def test_a_judge_without_any_opinion_tells_nothing():
    labels = np.arange(300) % 3
    found = estimate_wrong_labels(labels, np.full((300, 3), 1 / 3), np.arange(300), 0.95)
    assert found.verdict == "withheld"
