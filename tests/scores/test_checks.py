"""The check of probabilities: one tolerance, and the likely cause in the message."""

from __future__ import annotations

import numpy as np
import pytest

from graft.errors import GraftError
from graft.scores.checks import check_probabilities


def make(row):
    return np.array([[0.25, 0.75], row, row])


@pytest.mark.parametrize("row", [[0.5, 0.505], [0.5, 0.495], [1.0, 0.0], [1.004, 0.0]])
def test_rounding_is_no_fault(row):
    given = make(row)
    assert check_probabilities(given) is given


@pytest.mark.parametrize("row", [[0.5, 0.515], [0.5, 0.48], [-0.001, 1.001], [3.2, -1.1]])
def test_what_is_no_softmax_is_laid_to_the_last_layer(row):
    with pytest.raises(
        GraftError,
        match=r"own must end in a softmax.*2 of 3 pictures, such as 'b\.png'",
    ) as error:
        check_probabilities(make(row), "the frozen classifier", ["a.png", "b.png", "c.png"])
    assert "of the frozen classifier are no probabilities" in str(error.value)
    assert "learning rate" not in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("row", [[np.nan, 0.5], [np.inf, 0.0], [-np.inf, 1.0]])
def test_what_is_no_number_is_laid_to_the_learning_rate(row):
    with pytest.raises(GraftError, match=r"are not numbers.* learning rate.* for 2 of 3 pictures$"):
        check_probabilities(make(row))


def test_no_picture_is_no_figure():
    with pytest.raises(GraftError, match="at least one; got 0 rows"):
        check_probabilities(np.zeros((0, 2)))
