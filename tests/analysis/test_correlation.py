"""The correlation ratio: between 0 and 1, of ranks, without bias."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from graft.analysis.shortcuts import measure_correlation_ratio


def test_properties_that_have_nothing_to_do_with_many_classes_have_a_ratio_near_0():
    random = np.random.default_rng(0)
    values = pd.DataFrame({"bytes": random.normal(size=2000)})
    # The plain correlation ratio would be 500 / 2,000 here.
    assert measure_correlation_ratio(values, np.arange(2000) % 500) < 0.05


def test_categories_that_tell_the_class_have_a_ratio_of_1():
    values = pd.DataFrame({"format": ["PNG", "GIF", None] * 5})
    assert measure_correlation_ratio(values, np.array([0, 1, 2] * 5)) == pytest.approx(1)


def test_the_correlation_ratio_of_ranks_by_hand():
    # Ranks 1 to 6, class means 2 and 5: within 4 of a total of 17.5; 1 - (4/4)/(17.5/5).
    values = pd.DataFrame({"bytes": [1.0, 5.0, 6.0, 70.0, 80.0, 1e9]})
    ratio = measure_correlation_ratio(values, np.array([0, 0, 0, 1, 1, 1]))
    assert ratio == pytest.approx(1 - 1 / 3.5)


@given(
    arrays(np.float64, 12, elements=st.integers(0, 5).map(float)),
    arrays(np.int64, 12, elements=st.integers(0, 2)),
)
def test_the_correlation_ratio_lies_between_0_and_1_and_ignores_the_scale(values, labels):
    codes = np.unique(labels, return_inverse=True)[1]
    ratio = measure_correlation_ratio(pd.DataFrame({"bytes": values}), codes)
    assert 0 <= ratio <= 1
    stretched = pd.DataFrame({"bytes": np.exp(values)})
    assert measure_correlation_ratio(stretched, codes) == ratio
