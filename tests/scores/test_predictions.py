"""Predictions of a split: what is no probability is refused in one line."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from graft.errors import GraftError
from graft.scores.predictions import read_split

pytestmark = pytest.mark.filterwarnings("error")


def make_predictions(first=0.25, label="dog"):
    return pd.DataFrame(
        {
            "image_id": ["a.png", "b.png", "c.png"],
            "split": ["dev", "test", "dev"],
            "model": "fine_tuned",
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


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_what_is_no_number_is_refused_with_its_picture_and_the_learning_rate(value):
    with pytest.raises(
        GraftError,
        match=r"of the fine-tuned classifier on dev are not numbers.* learning rate.*"
        r" 1 of 2 pictures, such as 'c\.png'$",
    ):
        read_split(make_predictions(value), ["cat", "dog"], "dev")


@pytest.mark.parametrize(("value", "got"), [(-0.5, "value of -0.5"), (1.5, "value of -0.5")])
def test_a_probability_below_0_is_refused_with_its_picture(value, got):
    with pytest.raises(GraftError, match=rf"{got}; 1 of 2 pictures, such as 'c\.png'"):
        read_split(make_predictions(value), ["cat", "dog"], "dev")


def test_probabilities_that_do_not_sum_to_one_are_laid_to_the_last_layer():
    predictions = make_predictions().assign(probability_cat=0.5)
    with pytest.raises(
        GraftError,
        match=r"must end in a softmax.*a sum of 1\.25 .*2 of 2 pictures, such as 'a\.png'",
    ) as error:
        read_split(predictions, ["cat", "dog"], "dev")
    assert "learning rate" not in str(error.value)


def test_a_split_without_pictures_is_refused():
    with pytest.raises(GraftError, match="at least one predicted picture of train_dev"):
        read_split(make_predictions(), ["cat", "dog"], "train_dev")


def test_a_label_that_is_no_class_is_refused():
    with pytest.raises(GraftError, match=r"none of the 2 classes.*got 'owl'"):
        read_split(make_predictions(label="owl"), ["cat", "dog"], "dev")
