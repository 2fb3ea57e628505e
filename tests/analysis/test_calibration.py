"""Calibration: scikit-learn's bins, published examples, and what chance alone would show."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.calibration import calibration_curve

from graft.analysis.calibration import (
    EQUAL_MASS,
    EQUAL_WIDTH,
    assign_bins,
    measure_calibration_error,
    simulate_calibration_error,
    summarise_calibration,
    tabulate_bins,
)
from graft.analysis.intervals import wilson_interval

# Of M. Pavlovic, "Expected Calibration Error (ECE): A Step-by-Step Visual Explanation" (2023).
TWO_CLASSES = (
    [0.78, 0.36, 0.08, 0.58, 0.49, 0.85, 0.30, 0.63, 0.17],
    [0, 1, 0, 0, 0, 0, 1, 1, 1],
)
# Of J. D. McCaffrey, "How to calculate expected calibration error for multi-class
# classification" (2021), with three bins.
FIVE_CLASSES = (
    [
        [0.25, 0.2, 0.22, 0.18, 0.15],
        [0.16, 0.06, 0.5, 0.07, 0.21],
        [0.06, 0.03, 0.8, 0.07, 0.04],
        [0.02, 0.03, 0.01, 0.04, 0.9],
        [0.4, 0.15, 0.16, 0.14, 0.15],
        [0.15, 0.28, 0.18, 0.17, 0.22],
        [0.07, 0.8, 0.03, 0.06, 0.04],
        [0.1, 0.05, 0.03, 0.75, 0.07],
        [0.25, 0.22, 0.05, 0.3, 0.18],
        [0.12, 0.09, 0.02, 0.17, 0.6],
    ],
    [0, 2, 3, 4, 2, 0, 1, 3, 3, 2],
)
STRATEGIES = {EQUAL_WIDTH: "uniform", EQUAL_MASS: "quantile"}
schemes = pytest.mark.parametrize("scheme", STRATEGIES)


def draw(seed, count=80, levels=None):
    """Confidences, and hits that are rarer than they say; with few levels there are many ties."""
    random = np.random.default_rng(seed)
    confidences = random.random(count)
    if levels:
        confidences = np.round(levels * confidences) / levels
    return confidences, random.random(count) < 0.8 * confidences


def test_the_error_of_a_published_example_of_two_classes():
    first = np.array(TWO_CLASSES[0])
    probabilities, labels = np.column_stack([first, 1 - first]), np.array(TWO_CLASSES[1])
    right = probabilities.argmax(axis=1) == labels
    error = measure_calibration_error(probabilities.max(axis=1), right, 5, EQUAL_WIDTH)
    assert error == pytest.approx(0.10444, abs=5e-6)


def test_the_error_of_a_published_example_of_five_classes():
    probabilities, labels = np.array(FIVE_CLASSES[0]), np.array(FIVE_CLASSES[1])
    right = probabilities.argmax(axis=1) == labels
    error = measure_calibration_error(probabilities.max(axis=1), right, 3, EQUAL_WIDTH)
    assert error == pytest.approx(0.192, abs=1e-9)


@schemes
@pytest.mark.parametrize("levels", [None, 7], ids=["distinct", "ties"])
@given(seed=st.integers(0, 2**32), bins=st.integers(2, 20))
@settings(max_examples=20, deadline=None)
def test_the_points_are_those_of_scikit_learn(scheme, levels, seed, bins):
    confidences, right = draw(seed, levels=levels)
    shares, means = calibration_curve(
        right, confidences, n_bins=bins, strategy=STRATEGIES[scheme], pos_label=True
    )
    rows = tabulate_bins(confidences, right, bins, scheme, 0.95)
    np.testing.assert_allclose([row["accuracy"] for row in rows], shares, atol=1e-9)
    np.testing.assert_allclose([row["confidence"] for row in rows], means, atol=1e-9)


@schemes
@given(seed=st.integers(0, 2**32), bins=st.integers(2, 20))
@settings(max_examples=20, deadline=None)
def test_the_error_is_the_mean_distance_of_the_points_from_the_diagonal(scheme, seed, bins):
    confidences, right = draw(seed)
    rows = tabulate_bins(confidences, right, bins, scheme, 0.95)
    distances = [row["n"] * abs(row["accuracy"] - row["confidence"]) for row in rows]
    error = measure_calibration_error(confidences, right, bins, scheme)
    assert error == pytest.approx(sum(distances) / len(right), abs=1e-9)
    assert 0 <= error <= 1


def test_bins_of_equal_mass_hold_as_many_pictures_each():
    confidences, _ = draw(0, count=100)
    assert np.bincount(assign_bins(confidences, 10, EQUAL_MASS)).tolist() == [10] * 10


def test_every_point_has_the_interval_of_wilson():
    confidences, right = draw(0)
    for row in tabulate_bins(confidences, right, 4, EQUAL_WIDTH, 0.9):
        hits = round(row["accuracy"] * row["n"])
        assert (row["low"], row["high"]) == wilson_interval(hits, row["n"], 0.9)


def test_confidences_that_are_all_the_same_share_a_bin():
    rows = tabulate_bins(np.full(8, 0.5), np.arange(8) < 4, 10, EQUAL_MASS, 0.95)
    assert [(row["n"], row["accuracy"], row["confidence"]) for row in rows] == [(8, 0.5, 0.5)]


def test_a_calibrated_classifier_stays_below_the_bound_as_often_as_it_says():
    random = np.random.default_rng(0)
    confidences = random.uniform(0.5, 1, 150)
    _, bound = simulate_calibration_error(confidences, 10, EQUAL_MASS, 2000, 0.95, seed=1)
    errors = [
        measure_calibration_error(confidences, random.random(150) < confidences, 10, EQUAL_MASS)
        for _ in range(1000)
    ]
    assert 0.93 <= np.mean(np.array(errors) <= bound) <= 0.97


def test_the_error_by_chance_falls_with_the_number_of_pictures():
    few, many = (
        simulate_calibration_error(np.full(n, 0.8), 10, EQUAL_MASS, 500, 0.95, seed=0)[0]
        for n in (50, 5000)
    )
    # The one bin of equal confidences: E|hits/n − p| is √(2/π) standard deviations.
    assert few == pytest.approx(0.8 * np.sqrt(0.16 / 50), rel=0.1)
    assert many == pytest.approx(few / 10, rel=0.15)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("right", [True, False], ids=["all right", "all wrong"])
def test_a_summary_survives_perfect_and_hopeless_predictions(right):
    labels = np.zeros(6, np.int64)
    probabilities = np.tile([1.0, 0.0] if right else [0.0, 1.0], (6, 1))
    found = summarise_calibration(labels, probabilities, 10, 100, 0.95, seed=0)
    assert found["accuracy"]["value"] == right
    assert found["ece"] == found["ece_equal_width"] == (not right)
    assert [row["n"] for row in found["bins"]] == [6]


def test_a_single_picture_is_summarised():
    found = summarise_calibration(np.array([1]), np.array([[0.3, 0.7]]), 10, 100, 0.95, seed=0)
    assert found["ece"] == pytest.approx(0.3)
    assert found["mean_confidence"] == 0.7
