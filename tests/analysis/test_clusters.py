"""Clusters: numbered in order, resampled whole, worth as much as what they tell."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.stats.weightstats import DescrStatsW

from graft.analysis.clusters import (
    count_effective,
    draw_weights,
    measure_error,
    number_clusters,
    weigh_clusters,
)

lists_of_clusters = st.lists(st.integers(-3, 3), min_size=1, max_size=30).map(np.array)


@given(lists_of_clusters)
def test_clusters_are_numbered_in_the_order_of_their_first_picture(clusters):
    codes = number_clusters(clusters, len(clusters))
    assert [int(code) for code in dict.fromkeys(codes)] == list(range(len(set(clusters))))
    assert len({*zip(codes, clusters, strict=True)}) == len(set(clusters))


@given(st.integers(1, 20))
def test_pictures_that_do_not_belong_together_are_clusters_of_one(count):
    own = number_clusters(None, count)
    assert own.tolist() == number_clusters(np.arange(count)[::-1], count).tolist()


def test_the_standard_error_of_single_pictures_is_the_usual_one():
    values = np.random.default_rng(0).normal(size=40)
    error = measure_error(values, np.arange(40))
    assert error == pytest.approx(DescrStatsW(values).std_mean, abs=1e-12)


def test_copies_add_nothing():
    values = np.random.default_rng(0).normal(size=40)
    error = measure_error(np.repeat(values, 5), np.repeat(np.arange(40), 5))
    assert error == pytest.approx(measure_error(values, np.arange(40)), abs=1e-12)


@given(st.lists(st.booleans(), min_size=2, max_size=60))
def test_pictures_without_clusters_count_each(right):
    assert count_effective(np.array(right, float), np.arange(len(right))) == len(right)


def test_alike_pictures_count_about_once_a_cluster():
    values = np.repeat(np.random.default_rng(0).integers(0, 2, 100), 4).astype(float)
    size = count_effective(values, np.repeat(np.arange(100), 4))
    assert size == pytest.approx(99)


def test_without_any_spread_a_cluster_counts_once():
    assert count_effective(np.ones(12), np.repeat([0, 1, 2], 4)) == 3


def test_unequal_clusters_count_less_than_equal_ones():
    assert weigh_clusters(np.array([0, 1, 2, 2, 2, 2])) == 36 / 18


def test_a_resample_has_as_many_clusters_as_there_are():
    (weights,) = draw_weights(np.array([0, 0, 1, 2, 2]), draws=50, seed=0)
    assert weights.shape == (50, 3)
    assert set(weights.sum(axis=1)) == {3}
