"""Folds: clusters whole, classes alike, and no more folds than there can be."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graft.analysis.clusters import count_clusters, deal_folds


@given(
    labels=st.lists(st.integers(0, 3), min_size=1, max_size=40),
    clusters=st.lists(st.integers(0, 12), min_size=40, max_size=40),
    folds=st.integers(2, 6),
)
@settings(max_examples=50, deadline=None)
@pytest.mark.filterwarnings("error")
def test_no_cluster_lies_in_two_folds(labels, clusters, folds) -> None:
    owners = np.array(clusters[: len(labels)])
    dealt = deal_folds(np.array(labels), owners, folds, seed=0)
    assert set(dealt) <= set(range(folds))
    for cluster in set(owners):
        assert len(set(dealt[owners == cluster])) == 1


def test_every_fold_has_every_class_in_its_share() -> None:
    labels = np.repeat([0, 1, 2], [40, 20, 10])
    dealt = deal_folds(labels, np.arange(70), folds=5, seed=1)
    for fold in range(5):
        assert np.bincount(labels[dealt == fold]).tolist() == [8, 4, 2]


def test_the_seed_decides_and_nothing_else() -> None:
    labels, clusters = np.tile([0, 1], 20), np.arange(40)
    assert (deal_folds(labels, clusters, 4, 1) == deal_folds(labels, clusters, 4, 1)).all()
    assert (deal_folds(labels, clusters, 4, 1) != deal_folds(labels, clusters, 4, 2)).any()


def test_one_picture_a_class_makes_one_fold() -> None:
    assert deal_folds(np.arange(4), np.arange(4), folds=3, seed=0).tolist() == [0] * 4


def test_clusters_are_counted_by_class() -> None:
    labels, clusters = np.array([0, 0, 0, 1, 1]), np.array([5, 5, 6, 6, 7])
    assert count_clusters(labels, clusters, class_count=3).tolist() == [2, 2, 0]
