"""Intervals: published values, the same bits for the same seed, and the coverage they promise."""

from __future__ import annotations

import time

import numpy as np
import pytest
from scipy.stats import norm
from statsmodels.stats.proportion import proportion_confint

from graft.errors import GraftError
from graft.scores import clusters
from graft.scores.bootstrap import bootstrap_t_interval, resample, take_quantiles
from graft.scores.intervals import (
    mean_interval,
    measure_with_intervals,
    share_interval,
    wilson_interval,
)
from graft.scores.metrics import METRICS


def draw_problem(seed=0, count=80, class_count=3):
    random = np.random.default_rng(seed)
    labels = np.arange(count) % class_count
    scores = random.random((count, class_count)) + 0.5 * np.eye(class_count)[labels]
    return labels, scores / scores.sum(axis=1, keepdims=True)


@pytest.mark.parametrize(
    ("hits", "count", "low", "high"),
    [
        # Agresti and Coull, The American Statistician 52, 1998, and Newcombe, Statistics in
        # Medicine 17, 1998, table I, method 3.
        (0, 10, 0.0, 0.2775),
        (9, 10, 0.5958, 0.9821),
        (10, 10, 0.7225, 1.0),
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_wilsons_interval_has_the_published_values(hits, count, low, high):
    assert wilson_interval(hits, count, 0.95) == pytest.approx((low, high), abs=6e-5)


@pytest.mark.parametrize(("hits", "count"), [(0, 1), (1, 1), (3, 7), (353, 360), (12_345, 12_630)])
def test_wilsons_interval_is_that_of_statsmodels(hits, count):
    expected = proportion_confint(hits, count, alpha=0.1, method="wilson")
    assert wilson_interval(hits, count, 0.9) == pytest.approx(expected, abs=1e-9)


def test_more_confidence_needs_a_wider_interval():
    widths = [np.diff(wilson_interval(30, 40, level))[0] for level in (0.5, 0.9, 0.95, 0.99)]
    assert widths == sorted(widths)


def test_the_interval_of_a_mean_is_students():
    # Mean 3, standard deviation sqrt(2.5), 5 repeats: t(0.975, 4) = 2.776445.
    reach = 2.776445 * np.sqrt(2.5 / 5)
    low, high = mean_interval(np.array([1.0, 2, 3, 4, 5]), 0.95)
    assert (low, high) == pytest.approx((3 - reach, 3 + reach), abs=1e-6)


@pytest.fixture
def figures():
    return measure_with_intervals(*draw_problem(), draws=200, confidence=0.95, seed=0)


def test_every_metric_is_measured(figures):
    assert list(figures) == list(METRICS)


def test_every_value_is_that_of_the_metric(figures):
    labels, probabilities = draw_problem()
    for name, metric in METRICS.items():
        once = metric(labels, probabilities, np.ones((1, len(labels))))[0]
        assert figures[name]["value"] == pytest.approx(once, abs=1e-15)


def test_every_interval_holds_its_value(figures):
    for figure in figures.values():
        assert figure["low"] < figure["value"] < figure["high"]
        assert all(type(number) is float for number in figure.values())


def test_accuracy_has_wilsons_interval(figures):
    labels, probabilities = draw_problem()
    hits = int((probabilities.argmax(axis=1) == labels).sum())
    low, high = wilson_interval(hits, len(labels), 0.95)
    assert (figures["accuracy"]["low"], figures["accuracy"]["high"]) == (low, high)


def bootstrap_interval(metric, labels, probabilities, draws, confidence, seed):
    codes = np.arange(len(labels))
    sample = resample({"": metric}, labels, probabilities, codes, draws, seed)[""]
    return take_quantiles(sample, confidence)


def bootstrap(seed=0, draws=200, confidence=0.95):
    return bootstrap_interval(
        METRICS["balanced_accuracy"], *draw_problem(), draws, confidence, seed
    )


def test_the_same_seed_gives_the_same_interval_and_another_seed_another():
    assert bootstrap(seed=1) == bootstrap(seed=1)
    assert bootstrap(seed=1) != bootstrap(seed=2)


def test_more_confidence_needs_a_wider_bootstrap_interval():
    narrow, wide = bootstrap(confidence=0.5), bootstrap(confidence=0.99)
    assert wide[0] < narrow[0] < narrow[1] < wide[1]


def test_memory_decides_nothing(monkeypatch):
    whole = bootstrap()
    monkeypatch.setattr(clusters, "_CHUNK_NUMBERS", 500)
    assert bootstrap() == whole


def test_the_bootstrap_of_a_mean_is_as_wide_as_theory_says():
    labels, probabilities = draw_problem(count=400)
    low, high = bootstrap_interval(
        METRICS["accuracy"], labels, probabilities, draws=2_000, confidence=0.95, seed=0
    )
    share = (probabilities.argmax(axis=1) == labels).mean()
    expected = 2 * 1.96 * np.sqrt(share * (1 - share) / 400)
    assert high - low == pytest.approx(expected, rel=0.1)


@pytest.mark.filterwarnings("error")
def test_resamples_that_miss_a_class_are_no_trouble():
    labels = np.array([0] * 20 + [1])
    probabilities = np.where(np.arange(21)[:, None] > 17, [0.3, 0.7], [0.8, 0.2])
    for name, metric in METRICS.items():
        low, high = bootstrap_interval(metric, labels, probabilities, 200, 0.95, seed=0)
        assert np.isfinite([low, high]).all(), name


@pytest.mark.filterwarnings("error")
def test_a_sample_of_one_class_has_figures_all_the_same():
    labels = np.zeros(10, dtype=int)
    probabilities = np.full((10, 2), 0.5)
    figures = measure_with_intervals(labels, probabilities, 50, 0.95, seed=0)
    assert figures["accuracy"]["value"] == 1
    assert np.isnan(figures["roc_auc"]["value"])


def test_probabilities_of_single_precision_are_measured_in_double():
    labels, probabilities = draw_problem()
    single = measure_with_intervals(labels, probabilities.astype("float32"), 10, 0.95, seed=0)
    double = measure_with_intervals(
        labels, probabilities.astype("float32").astype("float64"), 10, 0.95, seed=0
    )
    assert single == double


def test_clusters_of_one_picture_are_no_clusters(figures):
    own = measure_with_intervals(*draw_problem(), 200, 0.95, 0, np.arange(80)[::-1])
    assert own == figures


@pytest.mark.parametrize("name", METRICS)
def test_copies_of_pictures_make_no_figure_surer(name):
    labels, probabilities = draw_problem()
    once = measure_with_intervals(labels, probabilities, 200, 0.95, 0)[name]
    copied = measure_with_intervals(
        np.tile(labels, 4), np.tile(probabilities, (4, 1)), 200, 0.95, 0, np.tile(np.arange(80), 4)
    )[name]
    assert copied["value"] == pytest.approx(once["value"], abs=1e-12)
    width, copied_width = (figure["high"] - figure["low"] for figure in (once, copied))
    assert copied_width == pytest.approx(width, rel=0.03)


def test_a_share_of_clusters_by_hand():
    # Three of four clusters of two are right, one wrong: the mean is 3/4, its variance
    # 4/3 · (3 · (1/2)² + (3/2)²) / 8² = 1/16, so 3/16 · 16 = 3 pictures in effect, t(3) = 3.182446.
    low, high = share_interval(np.repeat([1, 1, 1, 0], 2) == 1, np.repeat(np.arange(4), 2), 0.95)
    z = 3.182446305284263
    middle, reach = 0.75 + z**2 / 6, z * np.sqrt(0.75 * 0.25 / 3 + z**2 / 36)
    expected = (middle - reach) / (1 + z**2 / 3), (middle + reach) / (1 + z**2 / 3)
    assert (low, high) == pytest.approx(expected, abs=1e-9)


def test_the_studentised_bootstrap_of_a_mean_is_as_wide_as_theory_says():
    values = np.random.default_rng(0).normal(size=400)
    low, high = bootstrap_t_interval(values, np.arange(400), 4_000, 0.95, seed=0)
    expected = 2 * norm.ppf(0.975) * values.std(ddof=1) / 20
    assert high - low == pytest.approx(expected, rel=0.05)


def test_losses_with_a_long_tail_reach_further_up():
    values = np.random.default_rng(0).exponential(size=50) ** 2
    low, high = bootstrap_t_interval(values, np.arange(50), 4_000, 0.95, seed=0)
    assert high - values.mean() > 1.5 * (values.mean() - low)


def make_sure(labels, class_count, probability=1.0):
    """Probabilities of a classifier that names these classes."""
    other = (1 - probability) / (class_count - 1)
    return np.full((len(labels), class_count), other) + (probability - other) * np.eye(
        class_count
    )[labels]  # fmt: skip


@pytest.mark.filterwarnings("error")
def test_a_perfect_classifier_is_not_certain():
    labels = np.repeat([0, 1], 50)
    figures = measure_with_intervals(labels, make_sure(labels, 2), 200, 0.95, 0)
    for name in ("accuracy", "balanced_accuracy", "macro_f1", "roc_auc"):
        assert figures[name] == pytest.approx({"value": 1, "low": 0.963, "high": 1}, abs=5e-4)
    assert figures["log_loss"]["value"] == pytest.approx(0, abs=1e-12)


@pytest.mark.filterwarnings("error")
def test_a_perfect_classifier_of_few_clusters_is_less_certain():
    labels = np.repeat([0, 1], 50)
    figures = measure_with_intervals(labels, make_sure(labels, 2), 200, 0.95, 0,
                                     np.repeat(np.arange(10), 10))  # fmt: skip
    assert figures["accuracy"]["low"] < 0.8
    assert figures["roc_auc"]["low"] == pytest.approx(wilson_interval(10, 10, 0.95)[0])


@pytest.mark.filterwarnings("error")
def test_a_classifier_that_is_always_wrong_has_figures():
    labels = np.repeat([0, 1], 50)
    figures = measure_with_intervals(labels, make_sure(1 - labels, 2), 200, 0.95, 0)
    for name in ("accuracy", "balanced_accuracy", "macro_f1", "roc_auc"):
        assert figures[name] == pytest.approx({"value": 0, "low": 0, "high": 0.037}, abs=5e-4)
    assert figures["log_loss"]["value"] == pytest.approx(36.04, abs=0.01)


@pytest.mark.filterwarnings("error")
def test_a_classifier_that_always_says_the_same_is_not_surely_half_right():
    labels = np.repeat([0, 1], 50)
    figures = measure_with_intervals(labels, make_sure(labels * 0, 2, 0.9), 200, 0.95, 0)
    low, high = (figures["balanced_accuracy"][end] for end in ("low", "high"))
    assert low < 0.45 < 0.55 < high


@pytest.mark.filterwarnings("error")
def test_a_class_that_is_missing_is_left_out():
    labels, probabilities = draw_problem()
    wider = np.column_stack([probabilities * 0.9, np.full(80, 0.1)])
    figures = measure_with_intervals(labels, wider, 200, 0.95, 0)
    without = measure_with_intervals(labels, probabilities, 200, 0.95, 0)
    for name in ("accuracy", "balanced_accuracy", "roc_auc"):
        assert figures[name]["value"] == pytest.approx(without[name]["value"])
    for figure in figures.values():
        assert 0 <= figure["low"] <= figure["value"] <= figure["high"]


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("right", [0, 3, 5])
def test_one_picture_a_class_has_figures(right):
    labels = np.arange(5)
    predicted = np.where(labels < right, labels, (labels + 1) % 5)
    figures = measure_with_intervals(labels, make_sure(predicted, 5, 0.8), 200, 0.95, 0)
    for name in ("accuracy", "balanced_accuracy", "macro_f1", "roc_auc"):
        figure = figures[name]
        assert 0 <= figure["low"] <= figure["value"] <= figure["high"] <= 1
        assert figure["high"] - figure["low"] > 0.3, name


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("count", [1, 6])
def test_pictures_of_one_cluster_tell_nothing(count):
    labels = np.zeros(count, dtype=int)
    figures = measure_with_intervals(labels, make_sure(labels, 2, 0.9), 50, 0.95, 0, labels)
    assert (figures["log_loss"]["low"], figures["log_loss"]["high"]) == pytest.approx(
        (0, 36.04), abs=0.01
    )
    assert figures["balanced_accuracy"]["low"] < 0.3


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ([np.nan, 0.5], "not numbers.* got NaN or infinity for 1 of 80 pictures"),
        ([np.inf, 0.5], "not numbers"),
        ([0.9, 0.9], "no probabilities.* got a sum of 1.8"),
        ([1.5, -0.5], "no probabilities.* least value of -0.5"),
    ],
)
def test_what_is_no_probability_is_refused(row, told):
    labels, probabilities = draw_problem(class_count=2)
    probabilities[5] = row
    with pytest.raises(GraftError, match=told):
        measure_with_intervals(labels, probabilities, 10, 0.95, 0)


def test_a_split_without_pictures_is_refused():
    with pytest.raises(GraftError, match="no picture to measure"):
        measure_with_intervals(np.zeros(0, int), np.zeros((0, 2)), 10, 0.95, 0)


def test_a_thousand_classes_are_measured_quickly():
    labels, probabilities = draw_problem(count=1000, class_count=1000)
    started = time.process_time()
    figures = measure_with_intervals(labels, probabilities, 200, 0.95, 0)
    assert time.process_time() - started < 5
    assert all(np.isfinite(list(figure.values())).all() for figure in figures.values())
