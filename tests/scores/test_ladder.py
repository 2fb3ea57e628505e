"""The ladder of errors: steps with intervals, and sentences that claim no more than these show."""

from __future__ import annotations

import numpy as np
import pytest
from statsmodels.stats.proportion import confint_proportions_2indep

from graft.scores.intervals import wilson_interval
from graft.scores.ladder import (
    NOT_SHOWN,
    REVERSED,
    SHOWN,
    compare_with_baseline,
    name_largest,
    read_ladder,
)
from graft.scores.rates import measure_error_rate, subtract_rates


def make_rate(hits, count):
    low, high = wilson_interval(hits, count, 0.95)
    return {"value": hits / count, "low": low, "high": high}


def make_errors(**wrong):
    """Errors of splits of a thousand pictures, given as numbers of wrong ones."""
    return {split: make_rate(count, 1000) for split, count in wrong.items()}


def read(human_error=None, **wrong):
    readings = read_ladder(make_errors(**wrong), human_error)
    return {reading["kind"]: reading for reading in readings}


@pytest.mark.parametrize(
    ("first", "second", "low", "high"),
    [
        # Newcombe, Statistics in Medicine 17, 1998, p. 873, table II, method 10.
        ((48, 80), (56, 70), 0.0524, 0.3339),
        ((3, 10), (9, 10), 0.1705, 0.8090),
        ((2, 7), (6, 7), 0.0582, 0.8062),
        ((0, 29), (5, 56), -0.0381, 0.1926),
        ((0, 20), (0, 10), -0.1611, 0.2775),
        ((0, 10), (10, 10), 0.6075, 1.0),
    ],
)
def test_a_step_has_newcombes_interval(first, second, low, high):
    step = subtract_rates(make_rate(*first), make_rate(*second))
    assert (step["low"], step["high"]) == pytest.approx((low, high), abs=6e-5)


def test_the_interval_of_a_step_is_that_of_statsmodels():
    step = subtract_rates(make_rate(17, 230), make_rate(41, 310))
    expected = confint_proportions_2indep(41, 310, 17, 230, method="newcomb", compare="diff")
    assert (step["low"], step["high"]) == pytest.approx(expected, abs=1e-9)


def test_an_error_rate_counts_what_is_wrong():
    right = np.array([True] * 90 + [False] * 10)
    rate = measure_error_rate(right, np.arange(100), 0.95)
    assert rate == {"n": 100, "clusters": 100, **make_rate(10, 100)}
    together = measure_error_rate(right, np.repeat(np.arange(20), 5), 0.95)
    assert together["clusters"] == 20
    assert together["high"] > rate["high"]


def test_a_gap_between_train_and_dev_is_variance():
    found = read(train=10, dev=80, test=85)
    assert {kind: one["state"] for kind, one in found.items()} == {
        "bias": SHOWN, "variance": SHOWN, "overfitting of dev": NOT_SHOWN
    }  # fmt: skip
    assert "more augmentation" in found["variance"]["remedy"]
    assert found["overfitting of dev"]["remedy"] is None
    assert "not shown by this many pictures" in found["overfitting of dev"]["sentence"]


def test_with_a_train_dev_split_variance_and_mismatch_are_told_apart():
    found = read(train=10, train_dev=15, dev=100, test=105)
    assert found["variance"]["state"] == NOT_SHOWN
    assert found["data mismatch"]["state"] == SHOWN
    assert found["data mismatch"]["step"] == "train-dev to dev"
    assert "1.5 % of train-dev" in found["data mismatch"]["sentence"]


def test_a_test_error_above_that_of_dev_is_overfitting_of_dev():
    assert read(train=10, dev=20, test=80)["overfitting of dev"]["state"] == SHOWN


def test_an_easier_split_is_no_fault():
    found = read(train=80, dev=20, test=10)
    assert found["variance"]["state"] == REVERSED
    assert "dev is easier than train" in found["variance"]["sentence"]
    assert found["variance"]["remedy"] is None


def test_bias_is_what_people_do_better():
    assert read(human_error=0.02, train=60, dev=65, test=70)["bias"]["state"] == SHOWN
    assert read(human_error=0.055, train=60, dev=65, test=70)["bias"]["state"] == NOT_SHOWN
    above = read(human_error=0.2, train=60, dev=65, test=70)["bias"]
    assert above["state"] == REVERSED
    assert "better than people" in above["sentence"]
    assert above["value"] == pytest.approx(-0.14)


def test_without_a_human_level_an_error_beside_a_much_larger_one_is_no_bias():
    assert read(train=10, dev=180, test=190)["bias"]["state"] == NOT_SHOWN
    told = read(train=100, dev=180, test=190)["bias"]
    assert told["state"] == SHOWN
    assert "no human level is known" in told["sentence"]


def test_the_largest_step_is_what_to_work_on():
    readings = read_ladder(make_errors(train=10, dev=80, test=140), None)
    assert name_largest(readings).startswith("The largest step is variance, +7.0 points.")
    readings = read_ladder(make_errors(train=0, dev=1, test=2), None)
    assert name_largest(readings).startswith("So few pictures are wrong")


def test_a_small_test_set_shows_nothing_that_it_does_not_show():
    errors = {split: make_rate(wrong, 10) for split, wrong in
              {"train": 0, "dev": 1, "test": 2}.items()}  # fmt: skip
    assert {reading["state"] for reading in read_ladder(errors, None)} == {NOT_SHOWN}


@pytest.mark.parametrize(
    ("right", "verdict", "said"),
    [
        (900, "better", "the classifier is better: +80.0 points of accuracy (+7"),
        (105, "no evidence of a difference", "is better is not shown by this many pictures: +0.5"),
        (40, "worse", "the classifier is worse: -6.0 points"),
    ],
)
def test_the_baseline_is_always_naming_the_commonest_class(right, verdict, said):
    labels = np.repeat(["cat", "dog"], [100, 900])
    predicted = np.where(np.arange(1000) < right, labels, "owl")
    turn = np.argsort(np.arange(1000) * 7919 % 1000)
    found = compare_with_baseline(labels[turn], predicted[turn], "cat", np.arange(1000), 0.95)
    assert found["accuracy"] == {
        "value": 0.1, **dict(zip(("low", "high"), wilson_interval(100, 1000, 0.95), strict=True))
    }  # fmt: skip
    assert found["verdict"] == verdict
    assert found["sentence"].startswith("Always saying “cat” is right for 10.0 % of test (8.3 %")
    assert said in found["sentence"]


def test_against_the_baseline_pictures_of_one_cluster_count_as_one():
    labels = np.repeat(["cat", "dog"], [100, 100])
    predicted = np.where(np.arange(200) < 80, "cat", "dog")
    apart, together = (
        compare_with_baseline(labels, predicted, "cat", clusters, 0.95)
        for clusters in (np.arange(200), np.arange(200) // 40)
    )
    assert apart["gain"]["value"] == together["gain"]["value"] == 0.4
    assert (apart["verdict"], together["verdict"]) == ("better", "no evidence of a difference")
    assert together["gain"]["low"] < 0 < apart["gain"]["low"]
    assert together["accuracy"]["low"] < apart["accuracy"]["low"]
