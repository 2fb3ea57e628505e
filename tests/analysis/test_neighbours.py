"""Nearest feature vectors: the same as all at once, whatever the blocks."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics.pairwise import cosine_similarity

from graft.analysis.mistakes import find_nearest

RANDOM = np.random.default_rng(0)
STORED = RANDOM.normal(size=(50, 8)).astype(np.float32)
QUERIES = RANDOM.normal(size=(7, 8)).astype(np.float32)


def split_into_blocks(size: int):
    for start in range(0, len(STORED), size):
        yield np.arange(start, min(start + size, 50)), STORED[start : start + size]


@pytest.mark.parametrize("size", [1, 7, 50])
def test_similarities_are_scikit_learns_and_no_row_is_missed(size: int) -> None:
    rows, similarities = find_nearest(QUERIES, split_into_blocks(size), 5)
    expected = cosine_similarity(QUERIES.astype(float), STORED.astype(float))
    order = np.argsort(-expected, axis=1)[:, :5]
    np.testing.assert_array_equal(rows, order)
    np.testing.assert_allclose(similarities, np.take_along_axis(expected, order, 1), rtol=1e-12)


def test_with_fewer_rows_than_asked_for_all_are_given() -> None:
    rows, _ = find_nearest(QUERIES, [(np.array([3, 9]), STORED[:2])], 5)
    assert rows.shape == (7, 2)
    assert find_nearest(QUERIES, [], 5)[0].shape == (7, 0)


def test_a_vector_of_zeros_is_near_to_nothing() -> None:
    stored = np.array([[0.0, 0.0], [1.0, 1.0], [-1.0, 0.0]])
    rows, similarities = find_nearest(np.array([[1.0, 0.0]]), [(np.arange(3), stored)], 3)
    assert rows.tolist() == [[1, 0, 2]]
    assert similarities[0, 1] == 0
    assert not find_nearest(np.zeros((1, 2)), [(np.arange(3), stored)], 3)[1].any()


def test_of_equally_near_rows_the_first_comes_first() -> None:
    blocks = [(np.array([8]), np.array([[2.0, 0.0]])), (np.array([1, 2]), np.eye(2))]
    assert find_nearest(np.array([[1.0, 0.0]]), blocks, 2)[0].tolist() == [[8, 1]]
