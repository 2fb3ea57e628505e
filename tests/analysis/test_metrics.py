"""Metrics: scikit-learn's values, for one sample and for many resamples at once."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sklearn_metrics

from graft.analysis import metrics as scores_metrics
from graft.analysis.metrics import METRICS, register_metric


def measure_area_with_sklearn(labels, probabilities, weights=None):
    if probabilities.shape[1] == 2:
        return sklearn_metrics.roc_auc_score(labels, probabilities[:, 1], sample_weight=weights)
    return sklearn_metrics.roc_auc_score(
        labels, probabilities, multi_class="ovr", sample_weight=weights
    )


SKLEARN = {
    "accuracy": lambda y, p: sklearn_metrics.accuracy_score(y, p.argmax(axis=1)),
    "balanced_accuracy": lambda y, p: sklearn_metrics.balanced_accuracy_score(y, p.argmax(axis=1)),
    "macro_f1": lambda y, p: sklearn_metrics.f1_score(y, p.argmax(axis=1), average="macro"),
    "roc_auc": measure_area_with_sklearn,
    "log_loss": lambda y, p: sklearn_metrics.log_loss(y, p, labels=range(p.shape[1])),
}


def draw_problem(seed, class_count, count=60, levels=None):
    """Labels of every class, and probabilities; with few levels there are many ties."""
    random = np.random.default_rng(seed)
    labels = random.permutation(np.arange(count) % class_count)
    scores = random.random((count, class_count)) + 0.5 * np.eye(class_count)[labels]
    if levels:
        scores = np.ceil(levels * scores)
    return labels, scores / scores.sum(axis=1, keepdims=True)


def measure(name, labels, probabilities, weights=None):
    rows = np.ones((1, len(labels))) if weights is None else np.atleast_2d(weights)
    return METRICS[name](labels, probabilities, rows)


def test_every_metric_is_compared_with_scikit_learn():
    assert set(METRICS) == set(SKLEARN)


@pytest.mark.parametrize("name", SKLEARN)
@pytest.mark.parametrize("class_count", [2, 5])
@pytest.mark.parametrize("levels", [None, 3], ids=["distinct", "ties"])
@given(seed=st.integers(0, 2**32))
@settings(max_examples=15, deadline=None)
def test_a_metric_equals_that_of_scikit_learn(name, class_count, levels, seed):
    labels, probabilities = draw_problem(seed, class_count, levels=levels)
    expected = SKLEARN[name](labels, probabilities)
    assert measure(name, labels, probabilities)[0] == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("name", SKLEARN)
@pytest.mark.parametrize("class_count", [2, 5])
@given(seed=st.integers(0, 2**32))
@settings(max_examples=15, deadline=None)
def test_weights_that_count_equal_repeated_rows(name, class_count, seed):
    labels, probabilities = draw_problem(seed, class_count, levels=4)
    random = np.random.default_rng(seed)
    weights = random.integers(0, 4, len(labels))
    # The figures of scikit-learn want a picture of every class.
    weights[np.unique(labels, return_index=True)[1]] += 1
    rows = np.repeat(np.arange(len(labels)), weights)
    expected = SKLEARN[name](labels[rows], probabilities[rows])
    measured = measure(name, labels, probabilities, weights)[0]
    assert measured == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("name", SKLEARN)
def test_many_resamples_are_measured_at_once(name):
    labels, probabilities = draw_problem(0, class_count=3)
    weights = np.random.default_rng(1).integers(1, 4, (10, len(labels)))
    alone = [measure(name, labels, probabilities, row)[0] for row in weights]
    np.testing.assert_allclose(measure(name, labels, probabilities, weights), alone, rtol=1e-12)


@pytest.mark.parametrize("name", SKLEARN)
def test_the_order_of_the_pictures_does_not_matter(name):
    labels, probabilities = draw_problem(0, class_count=3, levels=3)
    order = np.random.default_rng(1).permutation(len(labels))
    measured = measure(name, labels[order], probabilities[order])
    np.testing.assert_allclose(measured, measure(name, labels, probabilities), rtol=1e-12)


PERFECT = {
    "accuracy": 1, "balanced_accuracy": 1, "macro_f1": 1, "roc_auc": 1, "log_loss": 0
}  # fmt: skip


@pytest.mark.parametrize("name", PERFECT)
@pytest.mark.parametrize("class_count", [2, 4])
def test_a_perfect_classifier_has_perfect_figures(name, class_count):
    labels = np.arange(12) % class_count
    measured = measure(name, labels, np.eye(class_count)[labels])[0]
    assert measured == pytest.approx(PERFECT[name], abs=1e-12)


def test_a_classifier_that_knows_nothing_has_an_area_of_one_half():
    labels = np.arange(12) % 3
    assert measure("roc_auc", labels, np.full((12, 3), 1 / 3))[0] == 0.5


def test_a_sure_mistake_costs_a_finite_loss():
    loss = measure("log_loss", np.array([0, 1]), np.array([[0.0, 1.0], [0.0, 1.0]]))[0]
    assert loss == pytest.approx(-np.log(np.finfo(np.float64).eps) / 2)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("name", ["accuracy", "balanced_accuracy", "macro_f1", "log_loss"])
def test_a_class_without_pictures_is_left_out_of_the_mean(name):
    labels, probabilities = draw_problem(0, class_count=3)
    wider = np.column_stack([probabilities, np.zeros(len(labels))])
    expected = measure(name, labels, probabilities)
    np.testing.assert_allclose(measure(name, labels, wider), expected, rtol=1e-12)


@pytest.mark.filterwarnings("error")
def test_the_area_is_the_mean_over_classes_with_pictures_on_both_sides():
    labels, probabilities = draw_problem(0, class_count=3)
    wider = np.column_stack([probabilities, np.zeros(len(labels))])
    np.testing.assert_allclose(
        measure("roc_auc", labels, wider), measure("roc_auc", labels, probabilities), rtol=1e-12
    )


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("class_count", [2, 3])
def test_the_area_of_one_class_alone_is_not_a_number(class_count):
    probabilities = draw_problem(0, class_count, count=6)[1]
    assert np.isnan(measure("roc_auc", np.zeros(6, dtype=int), probabilities)[0])


def test_a_metric_of_ones_own_can_be_registered(monkeypatch):
    monkeypatch.setattr("graft.analysis.metrics.METRICS", {})
    count = register_metric("count")(lambda labels, probabilities, weights: weights.sum(axis=1))
    assert {"count": count} == scores_metrics.METRICS


@pytest.mark.parametrize("levels", [None, 3], ids=["distinct", "ties"])
@pytest.mark.parametrize("class_count", [3, 7])
def test_both_ways_to_the_area_give_the_same(monkeypatch, class_count, levels):
    labels, probabilities = draw_problem(0, class_count, levels=levels)
    weights = np.random.default_rng(1).integers(0, 3, (20, len(labels))).astype(float)
    areas = []
    for pays in (0, 10**6):
        monkeypatch.setattr(scores_metrics, "_PAIRS_PAY", pays)
        areas.append(METRICS["roc_auc"](labels, probabilities, weights))
    np.testing.assert_allclose(*areas, rtol=1e-12)


def test_memory_decides_nothing_about_the_area(monkeypatch):
    labels, probabilities = draw_problem(0, 5)
    whole = measure("roc_auc", labels, probabilities)
    monkeypatch.setattr(scores_metrics, "_BLOCK_NUMBERS", 100)
    np.testing.assert_allclose(measure("roc_auc", labels, probabilities), whole, rtol=1e-12)
