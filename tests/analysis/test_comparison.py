"""Paired comparison: checked against published and hand-made calculations."""

from __future__ import annotations

from math import comb

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.stats.contingency_tables import mcnemar

from graft.analysis.comparison import compare_classifiers, compare_paired, find_p_value
from graft.errors import GraftError


def compare(both: int, only_first: int, only_second: int, neither: int, confidence=0.95) -> dict:
    first = [True] * (both + only_first) + [False] * (only_second + neither)
    second = [True] * both + [False] * only_first + [True] * only_second + [False] * neither
    return compare_paired(np.array(first), np.array(second), confidence)


def test_a_published_example() -> None:
    # Bentur et al. 2009 as worked by Fagerland, Lydersen and Laake (BMC Medical Research
    # Methodology 13:91, 2013): 1 against 7 discordant pairs of 21, exact p = 0.070.
    found = compare(both=1, only_first=1, only_second=7, neither=12)
    assert found["p_value"] == pytest.approx(0.0703, abs=5e-5)
    assert found["difference"] == pytest.approx(6 / 21)


@given(st.integers(0, 30), st.integers(0, 30), st.integers(0, 100))
def test_the_p_value_counts_equally_or_less_likely_shares(one: int, other: int, both: int) -> None:
    total = one + other
    tail = sum(comb(total, k) for k in range(min(one, other) + 1)) / 2**total
    found = compare(both + 1, one, other, 0)
    assert found["p_value"] == pytest.approx(min(1.0, 2 * tail))
    assert found["low"] <= found["difference"] <= found["high"]


def test_the_interval_by_hand() -> None:
    # (8 - 2) / 23 ± 1.96 · sqrt((10 / 23 - (6 / 23)²) / 23)
    found = compare(both=1, only_first=1, only_second=7, neither=12)
    assert found["low"] == pytest.approx(0.0134, abs=1e-4)
    assert found["high"] == pytest.approx(0.5083, abs=1e-4)


def test_classifiers_that_never_differ_are_not_told_apart() -> None:
    found = compare(both=10, only_first=0, only_second=0, neither=3)
    assert found["p_value"] == 1
    assert found["low"] < 0 < found["high"]


@given(st.integers(0, 40), st.integers(0, 40), st.integers(0, 40))
def test_the_p_value_is_that_of_statsmodels(one: int, other: int, both: int) -> None:
    expected = mcnemar([[both, one], [other, 3]], exact=True).pvalue
    found = compare(both, one, other, 3)
    assert found["p_value"] == pytest.approx(expected, abs=1e-9)
    changes = np.repeat([-1.0, 1.0, 0.0], [one, other, both + 3])
    assert find_p_value(changes, np.arange(len(changes))) == pytest.approx(expected, abs=1e-9)


def test_copies_of_pictures_are_no_evidence() -> None:
    changes = np.repeat([-1.0, 1.0], [1, 7])
    copies = find_p_value(np.repeat(changes, 10), np.repeat(np.arange(8), 10))
    assert copies == pytest.approx(find_p_value(changes, np.arange(8)), abs=1e-12)


def test_the_p_value_over_clusters_counts_all_ways() -> None:
    # Clusters of +3, +2 and -1: of the eight signs, those with a sum of 4 or more or -4 or less.
    changes = np.array([1.0, 1, 1, 1, 1, -1])
    codes = np.array([0, 0, 0, 1, 1, 2])
    sums = [a + b + c for a in (3, -3) for b in (2, -2) for c in (1, -1)]
    assert find_p_value(changes, codes) == np.mean(np.abs(sums) >= 4)


def draw_classifiers(count=300, gain=1.0, seed=0, size=1):
    """Labels, and probabilities of two classifiers of which the second is surer by ``gain``."""
    random = np.random.default_rng(seed)
    labels = np.repeat(random.integers(0, 2, count // size), size)
    noise = np.repeat(random.normal(size=(2, count // size)), size, axis=1)
    given = []
    for strength, own in zip((1.0, 1.0 + gain), noise, strict=True):
        second = 1 / (1 + np.exp(-2 * (own + strength * (2 * labels - 1))))
        given.append(np.column_stack([1 - second, second]))
    return labels, *given


def judge(labels, first, second, clusters=None):
    return compare_classifiers(labels, first, second, 500, 0.95, 0, clusters)


def test_a_better_classifier_is_better_and_the_other_one_worse() -> None:
    labels, first, second = draw_classifiers()
    found, turned = judge(labels, first, second), judge(labels, second, first)
    assert (found["verdict"], found["log_loss_verdict"]) == ("better", "better")
    assert (turned["verdict"], turned["log_loss_verdict"]) == ("worse", "worse")
    for name in ("accuracy", "log_loss"):
        assert found[name]["value"] == pytest.approx(-turned[name]["value"], abs=1e-12)
    assert found["accuracy"]["low"] > 0 > found["log_loss"]["high"]


def test_a_classifier_is_not_better_than_itself() -> None:
    labels, first, _ = draw_classifiers()
    found = judge(labels, first, first)
    assert found["verdict"] == found["log_loss_verdict"] == "no evidence of a difference"
    assert found["accuracy"]["low"] < 0 < found["accuracy"]["high"]
    assert found["log_loss"] == {"value": 0, "low": 0, "high": 0}
    assert found["same"]
    assert not judge(labels, first, np.roll(first, 1, axis=1))["same"]


def test_few_clusters_are_less_evidence_than_as_many_single_pictures() -> None:
    labels, first, second = draw_classifiers(count=300, gain=0.5, size=10)
    apart = judge(labels, first, second)
    together = judge(labels, first, second, np.repeat(np.arange(30), 10))
    assert (apart["clusters"], together["clusters"]) == (300, 30)
    assert together["p_value"] > apart["p_value"]
    assert together["smallest"] > apart["smallest"]
    for name in ("accuracy", "log_loss"):
        widths = [found[name]["high"] - found[name]["low"] for found in (apart, together)]
        assert widths[0] < widths[1]


def test_clusters_of_one_picture_are_no_clusters() -> None:
    labels, first, second = draw_classifiers()
    assert judge(labels, first, second) == judge(labels, first, second, np.arange(300) + 7)


def test_one_picture_or_one_cluster_is_no_evidence() -> None:
    labels, first, second = draw_classifiers(gain=5)
    for clusters, rows in ((None, slice(1)), (np.zeros(300), slice(None))):
        part = None if clusters is None else clusters[rows]
        found = judge(labels[rows], first[rows], second[rows], part)
        assert found["verdict"] == found["log_loss_verdict"] == "no evidence of a difference"
        assert found["smallest"] is None


def test_probabilities_that_are_no_numbers_are_refused() -> None:
    labels, first, second = draw_classifiers()
    second[3, 0] = np.nan
    with pytest.raises(GraftError, match="NaN or infinity for 1 of 300 pictures"):
        judge(labels, first, second)


@pytest.mark.parametrize(
    ("draws", "chance"), [(100, 0.045), pytest.param(400, 0.022, marks=pytest.mark.slow)]
)
def test_the_interval_of_a_difference_covers_the_truth_93_to_97_times_of_100(
    draws: int, chance: float
) -> None:
    random = np.random.default_rng(0)
    covered = {"accuracy": 0, "log_loss": 0}
    labels, first, second = draw_classifiers(count=200_000, gain=0.3, seed=5)
    truth = compare_classifiers(labels, first, second, 2, 0.95, 0)
    for _ in range(draws):
        seed = int(random.integers(2**31))
        labels, first, second = draw_classifiers(count=180, gain=0.3, seed=seed, size=2)
        found = compare_classifiers(
            labels, first, second, 200, 0.95, 0, np.repeat(np.arange(90), 2)
        )
        for name in covered:
            covered[name] += found[name]["low"] <= truth[name]["value"] <= found[name]["high"]
    for count in covered.values():
        # Of 400 draws 9 more or fewer are chance, two standard errors.
        assert 0.93 - chance <= count / draws <= 0.97 + chance, covered
