"""The log loss: one function with one floor, whoever asks and whatever the dtype."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import log_loss

import graft
from graft.analysis.metrics import METRICS
from graft.analysis.predictions import (
    LARGEST_LOSS,
    measure_log_loss,
    measure_losses,
)
from graft.analysis.temperature import SMALLEST_PROBABILITY, take_logarithms

SURE = np.array([[1.0, 0.0], [1.0, 0.0]])
LABELS = np.array([0, 1])


def test_it_is_that_of_scikit_learn_a_sure_mistake_included():
    random = np.random.default_rng(0)
    probabilities = random.dirichlet(np.full(3, 0.1), 200)
    labels = random.integers(0, 3, 200)
    probabilities[0], labels[0] = [0.0, 1.0, 0.0], 0
    assert measure_log_loss(labels, probabilities) == pytest.approx(
        log_loss(labels, probabilities, labels=range(3)), rel=1e-12
    )


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_a_sure_mistake_costs_the_same_in_every_dtype(dtype):
    losses = measure_losses(LABELS, SURE.astype(dtype))
    assert losses.dtype == np.float64
    assert losses.tolist() == [0.0, LARGEST_LOSS]
    assert take_logarithms(SURE.astype(dtype)).min() == -LARGEST_LOSS


def test_what_is_larger_than_the_floor_is_told_apart_from_it():
    probabilities = np.array([[1.0, 1e-12]], np.float32)
    assert measure_losses(np.array([1]), probabilities)[0] == pytest.approx(27.63, abs=0.01)


def test_rows_are_divided_by_their_sum():
    given = np.array([[0.5, 0.25], [3.0, 1.0]])
    expected = -np.log([2 / 3, 1 / 4])
    np.testing.assert_allclose(measure_losses(LABELS, given), expected, rtol=1e-15)


def test_the_metric_is_its_mean():
    once = np.ones((1, 2))
    assert METRICS["log_loss"](LABELS, SURE, once)[0] == measure_log_loss(LABELS, SURE)


def test_nobody_else_has_a_floor_of_probabilities():
    root = Path(graft.__file__).parent
    epsilon = re.compile(r"finfo\(.*\)\.eps|maximum\(\w+, 1e-")
    with_floor = [path.name for path in root.rglob("*.py") if epsilon.search(path.read_text())]
    assert with_floor == ["temperature.py"]
    assert np.finfo(np.float64).eps == SMALLEST_PROBABILITY
