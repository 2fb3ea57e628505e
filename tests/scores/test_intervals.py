"""Intervals: published values, the same bits for the same seed, and the coverage they promise."""

from __future__ import annotations

import numpy as np
import pytest

from graft.scores import clusters
from graft.scores.bootstrap import bootstrap_interval
from graft.scores.intervals import (
    mean_interval,
    measure_with_intervals,
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


@pytest.mark.filterwarnings("ignore:All-NaN slice")
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
