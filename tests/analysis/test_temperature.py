"""Temperature: never worse on dev, the classes stay, and bounded where dev cannot say."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import softmax
from sklearn.metrics import log_loss

from graft.analysis.calibration import HIGHEST, LOWEST, apply_temperature
from graft.analysis.calibration import fit_temperature as fit_with_interval

pytestmark = pytest.mark.filterwarnings("error")


def draw(seed, sureness=1.0, class_count=4, count=300):
    """Labels drawn from true probabilities, and the probabilities of one who is too sure."""
    random = np.random.default_rng(seed)
    logits = 2 * random.normal(size=(count, class_count))
    truth = softmax(logits, axis=1)
    labels = (truth.cumsum(axis=1) < random.random((count, 1))).sum(axis=1)
    return labels.clip(max=class_count - 1), softmax(sureness * logits, axis=1)


def fit_temperature(labels, probabilities):
    return fit_with_interval(labels, probabilities, coverage=0.95)


def measure(labels, probabilities):
    whole = probabilities / probabilities.sum(axis=1, keepdims=True)
    return log_loss(labels, whole, labels=range(probabilities.shape[1]))


@given(
    seed=st.integers(0, 2**32),
    sureness=st.floats(0.01, 60),
    class_count=st.integers(2, 6),
    count=st.integers(1, 40),
    rounded=st.booleans(),
)
@settings(max_examples=150, deadline=None)
def test_the_temperature_never_worsens_the_log_loss_on_dev(
    seed, sureness, class_count, count, rounded
):
    labels, probabilities = draw(seed, sureness, class_count, count)
    if rounded:
        # As they are stored: float32, and often exactly 0 or 1.
        probabilities = probabilities.astype(np.float32).astype(np.float64)
    found = fit_temperature(labels, probabilities)
    scaled = apply_temperature(probabilities, found.value)
    assert LOWEST <= found.value <= HIGHEST
    assert measure(labels, scaled) <= measure(labels, probabilities) + 1e-9


@given(seed=st.integers(0, 2**32), temperature=st.floats(LOWEST, HIGHEST))
@settings(max_examples=50, deadline=None)
def test_probabilities_stay_probabilities_and_classes_stay(seed, temperature):
    _, probabilities = draw(seed, count=20)
    scaled = apply_temperature(probabilities, temperature)
    np.testing.assert_allclose(scaled.sum(axis=1), 1, rtol=1e-12)
    np.testing.assert_array_equal(scaled.argmax(axis=1), probabilities.argmax(axis=1))


@pytest.mark.parametrize("sureness", [0.4, 1.0, 3.0])
def test_the_temperature_undoes_a_known_sureness(sureness):
    labels, probabilities = draw(0, sureness, count=5000)
    found = fit_temperature(labels, probabilities)
    assert found.reason == "fitted"
    assert found.value == pytest.approx(sureness, rel=0.06)


def test_the_temperature_is_where_the_log_loss_is_lowest():
    labels, probabilities = draw(1, 3.0)
    best = fit_temperature(labels, probabilities).value
    losses = [
        measure(labels, apply_temperature(probabilities, best * factor))
        for factor in (0.99, 1, 1.01)
    ]
    assert losses.index(min(losses)) == 1


@pytest.mark.parametrize(
    ("draws", "chance"), [(250, 0.028), pytest.param(1000, 0.02, marks=pytest.mark.slow)]
)
def test_the_interval_holds_the_truth_as_often_as_it_says(draws, chance):
    """By chance alone the share is so far from 95 of 100 once in 25 and once in 250."""
    found = [fit_temperature(*draw(seed, 2.0, count=150)) for seed in range(draws)]
    assert np.mean([one.low <= 2 <= one.high for one in found]) == pytest.approx(0.95, abs=chance)


def test_the_interval_ends_at_the_bounds():
    found = fit_temperature(np.array([0, 1]), np.array([[0.7, 0.3], [0.6, 0.4]]))
    assert LOWEST <= found.low < found.value <= found.high == pytest.approx(HIGHEST)


def test_probabilities_are_divided_on_the_log_scale():
    scaled = apply_temperature(np.array([[0.9, 0.1]]), 2.0)
    np.testing.assert_allclose(scaled, [[0.75, 0.25]], rtol=1e-12)  # √9 = 3 to 1


def test_a_temperature_of_one_leaves_every_bit():
    _, probabilities = draw(0)
    assert apply_temperature(probabilities, 1.0) is probabilities


def test_where_guessing_is_all_that_can_be_done_nothing_is_gained():
    found = fit_temperature(np.array([0, 1]), np.full((2, 2), 0.5))
    assert (found.value, found.reason) == (1.0, "no_gain")


def test_without_a_mistake_it_becomes_as_sure_as_so_many_right_answers_speak_for():
    labels, probabilities = np.arange(38) % 2, np.full((38, 2), 0.4)
    probabilities[np.arange(38), labels] = 0.6
    found = fit_temperature(labels, probabilities)
    assert found.reason == "no_mistake"
    assert apply_temperature(probabilities, found.value).max(axis=1).mean() == pytest.approx(
        39 / 40, abs=1e-4
    )


def test_without_a_mistake_a_sure_classifier_is_left_alone():
    found = fit_temperature(np.array([0, 1]), np.array([[1.0, 0.0], [0.0, 1.0]]))
    assert (found.value, found.reason) == (1.0, "no_mistake")


def test_a_single_picture_does_not_make_a_classifier_certain():
    probabilities = np.array([[0.55, 0.45]])
    found = fit_temperature(np.array([0]), probabilities)
    scaled = apply_temperature(probabilities, found.value)
    assert scaled.max() == pytest.approx(2 / 3, abs=1e-5)


def test_all_wrong_predictions_go_to_the_bound():
    probabilities = np.tile([0.9, 0.1], (20, 1))
    found = fit_temperature(np.ones(20, np.int64), probabilities)
    assert found.reason == "at_bound"
    assert found.value == pytest.approx(HIGHEST, rel=1e-3)


def test_one_class_alone_in_dev_is_no_obstacle():
    found = fit_temperature(np.zeros(9, np.int64), np.tile([0.3, 0.7], (9, 1)))
    assert LOWEST <= found.value <= HIGHEST


def test_a_sure_mistake_costs_a_finite_loss():
    probabilities = np.array([[1.0, 0.0]] * 9 + [[0.0, 1.0]])
    found = fit_temperature(np.zeros(10, np.int64), probabilities)
    assert found.value > 1
