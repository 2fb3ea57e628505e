"""Curves of classes: scikit-learn's points and areas, and classes that have none."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import (
    average_precision_score,
    precision_recall_curve,
    roc_auc_score,
    roc_curve,
)

from graft.analysis.thresholds import GRID, sample_precision, sample_roc, trace_class_curves

pytestmark = pytest.mark.filterwarnings("error")


def draw(seed, class_count=4, count=60, levels=None):
    random = np.random.default_rng(seed)
    labels = random.permutation(np.arange(count) % class_count)
    scores = random.random((count, class_count)) + 0.5 * np.eye(class_count)[labels]
    if levels:
        scores = np.ceil(levels * scores)
    return labels, scores / scores.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("class_count", [2, 5])
@pytest.mark.parametrize("levels", [None, 3], ids=["distinct", "ties"])
@given(seed=st.integers(0, 2**32))
@settings(max_examples=15, deadline=None)
def test_points_and_areas_are_those_of_scikit_learn(class_count, levels, seed):
    labels, probabilities = draw(seed, class_count, levels=levels)
    curves = trace_class_curves(labels, probabilities)
    assert [curve.index for curve in curves] == list(range(class_count))
    for curve in curves:
        positive, scores = labels == curve.index, probabilities[:, curve.index]
        away, found, _ = roc_curve(positive, scores)
        np.testing.assert_allclose(curve.false_positives, away, atol=1e-9)
        np.testing.assert_allclose(curve.true_positives, found, atol=1e-9)
        precision, recall, _ = precision_recall_curve(positive, scores, drop_intermediate=True)
        np.testing.assert_allclose(curve.precision, precision[::-1], atol=1e-9)
        np.testing.assert_allclose(curve.recall, recall[::-1], atol=1e-9)
        area, mean = (
            roc_auc_score(positive, scores),
            average_precision_score(positive, scores),
        )
        assert curve.area == pytest.approx(area, abs=1e-9)
        assert curve.average_precision == pytest.approx(mean, abs=1e-9)
        assert curve.count == positive.sum()


def test_a_class_that_test_lacks_has_no_curve():
    labels, probabilities = draw(0, class_count=3)
    wider = np.column_stack([probabilities, np.zeros(len(labels))])
    assert [curve.index for curve in trace_class_curves(labels, wider)] == [0, 1, 2]


def test_one_class_alone_has_no_curve():
    assert trace_class_curves(np.zeros(5, np.int64), draw(0, count=5)[1]) == []


def test_one_picture_a_class_is_enough():
    curves = trace_class_curves(np.arange(4), np.eye(4))
    assert [(curve.area, curve.average_precision, curve.count) for curve in curves] == [
        (1, 1, 1)
    ] * 4


def test_all_wrong_predictions_have_an_area_of_zero():
    labels = np.arange(6) % 2
    assert [curve.area for curve in trace_class_curves(labels, np.eye(2)[1 - labels])] == [0, 0]


@given(seed=st.integers(0, 2**32))
@settings(max_examples=30, deadline=None)
def test_curves_on_a_grid_keep_their_areas(seed):
    labels, probabilities = draw(seed, levels=8)
    for curve in trace_class_curves(labels, probabilities):
        assert np.trapezoid(sample_roc(curve), GRID) == pytest.approx(curve.area, abs=0.02)
        assert sample_precision(curve).mean() == pytest.approx(curve.average_precision, abs=0.02)


def test_a_perfect_class_is_at_one_on_the_whole_grid():
    curve = trace_class_curves(np.arange(4) % 2, np.eye(2)[np.arange(4) % 2])[0]
    assert sample_roc(curve).min() == sample_precision(curve).min() == 1
