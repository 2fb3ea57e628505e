"""Predictions of a split: what is no probability is refused in one line."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from graft.analysis.predictions import read_split
from graft.errors import GraftError

pytestmark = pytest.mark.filterwarnings("error")


def make_predictions(first=0.25, label="dog"):
    return pd.DataFrame(
        {
            "image_id": ["a.png", "b.png", "c.png"],
            "split": ["dev", "test", "dev"],
            "label": ["cat", "cat", label],
            "probability_dog": [0.75, 0.5, 1 - first],
            "probability_cat": [0.25, 0.5, first],
        }
    )


def test_labels_and_probabilities_come_in_the_order_of_the_classes():
    labels, probabilities = read_split(make_predictions(), ["cat", "dog"], "dev")
    assert labels.tolist() == [0, 1]
    assert probabilities.tolist() == [[0.25, 0.75], [0.25, 0.75]]
    assert probabilities.dtype == np.float64


@pytest.mark.parametrize(
    ("value", "got"), [(np.nan, "nan"), (np.inf, "inf"), (-0.5, "-0.5"), (1.5, "1.5")]
)
def test_what_is_no_probability_is_refused_with_its_picture(value, got):
    with pytest.raises(GraftError, match=f"got a probability of {got} for 'c.png' of dev"):
        read_split(make_predictions(value), ["cat", "dog"], "dev")


def test_probabilities_that_do_not_sum_to_one_are_refused():
    predictions = make_predictions().assign(probability_cat=0.5)
    with pytest.raises(GraftError, match=r"got a sum of 1\.25 for 'a\.png' of dev, one of 2"):
        read_split(predictions, ["cat", "dog"], "dev")


def test_a_split_without_pictures_is_refused():
    with pytest.raises(GraftError, match="at least one predicted picture of train_dev"):
        read_split(make_predictions(), ["cat", "dog"], "train_dev")


def test_a_label_that_is_no_class_is_refused():
    with pytest.raises(GraftError, match=r"none of the 2 classes.*got 'owl'"):
        read_split(make_predictions(label="owl"), ["cat", "dog"], "dev")
