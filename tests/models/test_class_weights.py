"""Weights: classes by their size, pictures by a column of the user."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.utils.class_weight import compute_class_weight

from graft.errors import GraftError
from graft.models.class_weights import CLASS_WEIGHTS, read_sample_weights, weigh_pictures

LABELS = np.array([0, 0, 0, 1])


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        ("none", [1, 1, 1, 1]),
        ("balanced", [2 / 3, 2 / 3, 2 / 3, 2]),
        ("sqrt", [0.845299, 0.845299, 0.845299, 1.464102]),
    ],
)
def test_weights_counted_by_hand(policy, expected):
    weights = weigh_pictures(LABELS, 2, policy)
    np.testing.assert_allclose(weights, expected, rtol=1e-6)
    assert weights.dtype == np.float32


@pytest.mark.parametrize("policy", CLASS_WEIGHTS)
def test_the_mean_weight_is_1_so_that_the_learning_rate_means_the_same(policy):
    labels = np.repeat([0, 1, 2], [100, 7, 1])
    assert weigh_pictures(labels, 3, policy).mean() == pytest.approx(1, rel=1e-6)


@pytest.mark.parametrize("policy", CLASS_WEIGHTS)
@pytest.mark.parametrize("missing", range(3))
def test_without_a_class_the_others_weigh_as_if_there_were_no_more(policy, missing):
    # A fold of a cross-validation may lack a class whose clusters are few.
    present = [index for index in range(3) if index != missing]
    weights = weigh_pictures(np.repeat(present, [9, 4]), 3, policy)
    np.testing.assert_array_equal(weights, weigh_pictures(np.repeat([0, 1], [9, 4]), 2, policy))
    assert np.isfinite(weights).all()
    assert weights.mean() == pytest.approx(1, rel=1e-6)


@pytest.mark.parametrize("policy", CLASS_WEIGHTS)
def test_classes_of_equal_size_weigh_the_same(policy):
    np.testing.assert_allclose(weigh_pictures(np.arange(9) % 3, 3, policy), 1, rtol=1e-6)


def test_balanced_weights_are_those_of_scikit_learn():
    labels = np.repeat([0, 1, 2], [50, 20, 3])
    expected = compute_class_weight("balanced", classes=np.arange(3), y=labels)[labels]
    np.testing.assert_allclose(weigh_pictures(labels, 3, "balanced"), expected, rtol=1e-6)


PICTURES = pd.DataFrame({"image_id": ["a.png", "b.png"], "trust": [1.0, 0.5], "label": ["x", "y"]})


def test_a_column_gives_the_weights():
    weights = read_sample_weights(PICTURES, "trust", "head_training")
    assert weights.dtype == np.float32
    assert weights.tolist() == [1.0, 0.5]


@pytest.mark.parametrize(
    ("column", "values", "message"),
    [
        ("thrust", [1, 1], r"has no such column; it has image_id, trust, label; got 'thrust'$"),
        ("trust", [1, -2], r"1 in column 'trust' are not; got '-2' for 'b\.png'$"),
        ("trust", [np.nan, 1], r"got 'nan' for 'a\.png'$"),
        ("trust", ["much", "-1"], r"2 in .*; got 'much' for 'a\.png', '-1' for 'b\.png'$"),
        ("trust", [1e39, 1], r"got '1e\+39' for 'a\.png'$"),  # more than float32 holds
        ("trust", [np.nan, np.nan], r"gives no picture a value; name .* weight_column .*'trust'$"),
        ("trust", [0, 0], r"must count; got only 0 in 'trust'$"),
    ],
)
def test_weights_that_are_none_are_refused(column, values, message):
    with pytest.raises(GraftError, match=message):
        read_sample_weights(PICTURES.assign(trust=values), column, "head_training")
