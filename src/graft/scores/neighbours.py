"""Which feature vectors lie nearest to some others."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np


def find_nearest(
    queries: np.ndarray, blocks: Iterable[tuple[np.ndarray, np.ndarray]], count: int
) -> tuple[np.ndarray, np.ndarray]:
    """The nearest vectors by the cosine of the angle between two, a block in memory at a time.

    Args:
        queries: float (q, D).
        blocks: Row numbers int (n,) and vectors float (n, D) of some rows at a time.
        count: So many of the nearest; all if there are fewer.

    Returns:
        Row numbers int64 (q, k) and similarities float64 (q, k), the nearest first. A vector of
        zeros has similarity 0 to all; of equally near rows the one that came first is first.

    Examples:
        >>> blocks = [(np.array([4, 7]), np.array([[0.0, 2.0], [3.0, 3.0]]))]
        >>> rows, similarities = find_nearest(np.array([[1.0, 0.0]]), blocks, 1)
        >>> rows.tolist(), similarities.round(3).tolist()
        ([[7]], [[0.707]])
    """
    wanted = _scale_to_unit(queries)
    rows = np.zeros((len(queries), 0), np.int64)
    similarities = np.zeros((len(queries), 0))
    for numbers, vectors in blocks:
        found = wanted @ _scale_to_unit(vectors).T
        similarities = np.concatenate([similarities, found], axis=1)
        rows = np.concatenate([rows, np.broadcast_to(numbers, found.shape)], axis=1)
        order = np.argsort(-similarities, axis=1, kind="stable")[:, :count]
        rows = np.take_along_axis(rows, order, axis=1)
        similarities = np.take_along_axis(similarities, order, axis=1)
    return rows, similarities


def _scale_to_unit(vectors: np.ndarray) -> np.ndarray:
    vectors = vectors.astype(np.float64)
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.divide(vectors, lengths, out=np.zeros_like(vectors), where=lengths > 0)
