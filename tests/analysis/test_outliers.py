"""Outliers: the farthest first, each with the property that makes it one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import median_abs_deviation

from graft.analysis.shortcuts import derive_properties, find_outliers, score_modified_z
from helpers.exploration import make_index

pytestmark = pytest.mark.filterwarnings("error")


def find(index, threshold=5.0):
    return find_outliers(derive_properties(index), threshold)


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"width": 2000, "height": 100}, "aspect ratio"),
        ({"brightness": 2.0}, "brightness"),
        ({"contrast": 0.0}, "contrast"),
        ({"bytes": 120}, "file size"),
        ({"red": 250.0, "green": 0.0}, "red − green"),
        ({"blue": 255.0, "red": 0.0, "green": 0.0}, "yellow − blue"),
    ],
)
def test_a_picture_unlike_the_rest_is_found_with_its_property(changes, name):
    index = make_index(["cat"] * 300)
    for column, value in changes.items():
        index.loc[17, column] = value
    found = find(index)
    assert found.index[0] == 17
    assert found.iloc[0]["property"] == name
    assert abs(found.iloc[0]["score"]) > 5


def test_the_farthest_comes_first_with_its_value_and_the_median():
    index = make_index(["cat"] * 300).assign(brightness=np.linspace(90, 110, 300))
    index.loc[[3, 8], "brightness"] = [200.0, 250.0]
    found = find(index)
    assert found.index.tolist()[:2] == [8, 3]
    assert found.iloc[0]["value"] == 250.0
    assert found.iloc[0]["typical"] == pytest.approx(100, abs=1)


def test_half_as_wide_is_as_far_off_as_twice_as_wide():
    usual = 200 * 2 ** np.linspace(-0.1, 0.1, 299)
    index = make_index(["cat"] * 301).assign(width=[100.0, *usual, 400.0], height=200)
    scores = find(index).loc[[0, 300], "score"]
    assert scores[0] == pytest.approx(-scores[300])


def test_pictures_all_alike_have_no_outliers():
    index = make_index(["cat"] * 20)
    alike = index.assign(**{name: index[name].iloc[0] for name in index.columns})
    assert find(alike).empty


def test_one_other_size_among_equal_ones_is_an_outlier():
    index = make_index(["cat"] * 100, width=[28] * 99 + [29], height=[28] * 100)
    assert find(index).index.tolist()[0] == 99


def test_missing_values_and_empty_tables_are_no_outliers():
    index = make_index(["cat"] * 30)
    assert find(index.assign(brightness=np.nan, width=None)).empty
    assert find(index.head(0)).empty


def test_the_score_is_the_robust_one_of_scipy():
    values = np.random.default_rng(0).standard_cauchy(999)
    unit = median_abs_deviation(values, scale="normal")
    expected = (values - np.median(values)) / unit
    np.testing.assert_allclose(score_modified_z(values), expected, rtol=1e-4)


@given(
    arrays(np.float64, st.integers(1, 30), elements=st.integers(-1000, 1000).map(float)),
    st.sampled_from([0.25, 4.0]),
)
def test_scores_do_not_depend_on_the_unit(values, factor):
    np.testing.assert_allclose(score_modified_z(factor * values + 8), score_modified_z(values))
