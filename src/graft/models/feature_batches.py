"""Shuffled training batches of features that stay on disk."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Protocol

import numpy as np
import tensorflow as tf

Rows = tuple[np.ndarray, np.ndarray, np.ndarray]


class FeatureReader(Protocol):
    """Rows of features that are read a block at a time, such as the catalog's ``features``."""

    blocks: list[tuple[int, int]]
    dimension: int

    def __len__(self) -> int: ...

    def read_block(self, number: int) -> np.ndarray: ...


class FeaturePools:
    """The rows of one split, drawn in pools of a bounded size.

    If all rows fit into one pool, they are read once and kept.

    Args:
        table: The features.
        rows: Row numbers of ``table`` in this split.
        labels: Class index of every one of ``rows``, int.
        weights: Weight of every one of ``rows``, float32.
        pool_rows: Rows in memory at a time.
    """

    def __init__(
        self,
        table: FeatureReader,
        rows: np.ndarray,
        labels: np.ndarray,
        weights: np.ndarray,
        pool_rows: int = 32_768,
    ) -> None:
        self.row_count = len(rows)
        self.dimension = table.dimension
        self._table = table
        self._pool_rows = pool_rows
        self._targets = np.full(len(table), -1, dtype=np.int64)
        self._targets[rows] = labels
        self._weights = np.zeros(len(table), dtype=np.float32)
        self._weights[rows] = weights
        self._blocks = [
            number
            for number, (start, stop) in enumerate(table.blocks)
            if (self._targets[start:stop] >= 0).any()
        ]
        self._only_pool = self._fill(self._blocks) if len(rows) <= pool_rows else None

    def draw(self, random: np.random.Generator | None = None) -> Iterator[Rows]:
        """Every row once, a pool of features, class indices and weights at a time.

        Args:
            random: Shuffles blocks among pools and rows within a pool; None keeps the order.
        """
        for pool in self._draw_pools(random):
            if random is None:
                yield pool
            else:
                order = random.permutation(len(pool[0]))
                yield pool[0][order], pool[1][order], pool[2][order]

    def _draw_pools(self, random: np.random.Generator | None) -> Iterator[Rows]:
        if self._only_pool is not None:
            yield self._only_pool
            return
        order = self._blocks if random is None else random.permutation(self._blocks).tolist()
        waiting: list[int] = []
        for number in order:
            waiting.append(number)
            if sum(self._size(block) for block in waiting) >= self._pool_rows:
                yield self._fill(waiting)
                waiting = []
        if waiting:
            yield self._fill(waiting)

    def _size(self, number: int) -> int:
        start, stop = self._table.blocks[number]
        return stop - start

    def _fill(self, numbers: list[int]) -> Rows:
        features, rows = [], []
        for number in numbers:
            start, stop = self._table.blocks[number]
            wanted = np.flatnonzero(self._targets[start:stop] >= 0)
            features.append(self._table.read_block(number)[wanted])
            rows.append(wanted + start)
        chosen = np.concatenate(rows)
        return np.concatenate(features), self._targets[chosen], self._weights[chosen]


def shuffle_batches(
    pools: FeaturePools, batch_size: int, epochs: int, seed: int
) -> tf.data.Dataset:
    """Training batches of all epochs, one after the other.

    The order of an epoch depends on the seed and the number of the epoch alone. The last batch
    of an epoch may be shorter; no batch reaches over its end.
    """
    return _batch_passes(
        pools, lambda epoch: np.random.default_rng([seed, int(epoch)]), batch_size, epochs
    )


def batch_in_order(pools: FeaturePools, batch_size: int, passes: int) -> tf.data.Dataset:
    """Batches of so many passes over all rows, each in their order, to measure on."""
    return _batch_passes(pools, lambda _: None, batch_size, passes)


def _batch_passes(
    pools: FeaturePools,
    make_random: Callable[[int], np.random.Generator | None],
    batch_size: int,
    passes: int,
) -> tf.data.Dataset:
    """One endless-looking data set: to start a new one each epoch costs more than a pass."""
    signature = (
        tf.TensorSpec((None, pools.dimension), tf.float32),
        tf.TensorSpec((None,), tf.int64),
        tf.TensorSpec((None,), tf.float32),
    )

    def draw_pass(number: tf.Tensor) -> tf.data.Dataset:
        return tf.data.Dataset.from_generator(
            lambda number: lend_copies(pools.draw(make_random(number))),
            args=(number,),
            output_signature=signature,
        ).rebatch(batch_size)

    return tf.data.Dataset.range(passes).flat_map(draw_pass).prefetch(2)


def lend_copies(pools: Iterator[Rows]) -> Iterator[Rows]:
    """Copies of pools, for TensorFlow to do with as it likes.

    It takes NumPy arrays that are aligned to 64 bytes as they are, believes that it owns them,
    and reuses their memory for results. A pool that is kept for the next pass would be changed.
    """
    for inputs, labels, weights in pools:
        yield np.array(inputs), np.array(labels), np.array(weights)
