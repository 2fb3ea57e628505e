"""Refits: parts that keep clusters and classes, and resamples that know what belongs together."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graft.analysis.refits import Pictures, rank_clusters, refit_on_parts, resample_errors


def make_pictures(count, class_count=2, apart=1.0, cluster_size=1, seed=0):
    random = np.random.default_rng(seed)
    clusters = np.arange(count) // cluster_size
    labels = clusters % class_count
    features = random.normal(size=(count, 30)).astype(np.float32)
    features[np.arange(count), labels] += apart
    return Pictures(features, labels, clusters)


@given(
    seed=st.integers(0, 2**32),
    sizes=st.lists(st.integers(1, 6), min_size=8, max_size=40),
    share=st.floats(0.01, 1),
)
@settings(max_examples=60, deadline=None)
def test_a_part_holds_whole_clusters_and_the_same_share_of_every_class(seed, sizes, share):
    clusters = np.repeat(np.arange(len(sizes)), sizes)
    labels = clusters % 4
    part = rank_clusters(labels, clusters, seed) <= share
    for cluster in range(len(sizes)):
        assert len(set(part[clusters == cluster])) == 1
    for label in range(4):
        inside = part[labels == label]
        assert inside.any()
        largest = max(sizes[label::4])
        assert abs(inside.sum() - share * len(inside)) <= largest


def test_all_of_train_is_a_part_and_parts_are_nested():
    labels, clusters = np.arange(40) % 4, np.arange(40) // 2
    places = rank_clusters(labels, clusters, 0)
    assert (places <= 1).all()
    assert set(np.flatnonzero(places <= 0.25)) < set(np.flatnonzero(places <= 0.5))


def test_seeds_draw_different_parts():
    labels, clusters = np.zeros(40, np.int64), np.arange(40)
    first, again, other = (rank_clusters(labels, clusters, seed) <= 0.5 for seed in (0, 0, 1))
    assert (first == again).all()
    assert (first != other).any()


def test_sizes_are_halves_down_to_two_pictures_a_class():
    refits = refit_on_parts(make_pictures(64), make_pictures(20, seed=1), 12, 2, seed=0)
    assert refits.counts.tolist() == [4, 8, 16, 32, 64]
    assert refits.hits.shape == (5, 2, 20)


def test_more_pictures_are_better():
    train, dev = make_pictures(400, apart=1.5), make_pictures(200, apart=1.5, seed=1)
    accuracies = refit_on_parts(train, dev, 6, 5, seed=0).hits.mean(axis=(1, 2))
    assert accuracies[-1] > accuracies[0] + 0.1


def test_one_picture_a_class_is_one_size():
    refits = refit_on_parts(make_pictures(3, class_count=3), make_pictures(6, seed=1), 5, 2, seed=0)
    assert refits.counts.tolist() == [3]


def test_a_class_that_is_one_cluster_is_one_size():
    train = make_pictures(20, cluster_size=10)
    assert refit_on_parts(train, make_pictures(6, seed=1), 5, 2, seed=0).counts.tolist() == [20]


def test_resamples_have_the_mean_and_the_spread_of_the_errors():
    hits = np.random.default_rng(0).random((1, 1, 400)) < 0.8
    samples = resample_errors(hits, np.arange(400), 4000, seed=0)[:, 0]
    error = 1 - hits.mean()
    assert samples.mean() == pytest.approx(error, abs=0.002)
    assert samples.std() == pytest.approx(np.sqrt(error * (1 - error) / 400), rel=0.05)


def test_clusters_count_once():
    hits = np.repeat(np.random.default_rng(0).random((1, 1, 40)) < 0.8, 10, axis=2)
    alone = resample_errors(hits, np.arange(400), 2000, seed=0).std()
    together = resample_errors(hits, np.arange(400) // 10, 2000, seed=0).std()
    assert together == pytest.approx(alone * np.sqrt(10), rel=0.1)


def test_sizes_are_resampled_together():
    hits = np.random.default_rng(0).random((1, 3, 100)) < 0.7
    samples = resample_errors(np.concatenate([hits, hits]), np.arange(100), 50, seed=0)
    np.testing.assert_array_equal(samples[:, 0], samples[:, 1])
