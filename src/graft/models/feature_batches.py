"""Shuffled training batches of features that stay on disk."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import keras
import numpy as np

Batch = tuple[np.ndarray, np.ndarray, np.ndarray]


class FeatureReader(Protocol):
    """Rows of features that are read a block at a time, such as the catalog's ``features``."""

    blocks: list[tuple[int, int]]

    def __len__(self) -> int: ...

    def read_block(self, number: int) -> np.ndarray: ...


class FeatureBatches(keras.utils.PyDataset):
    """Batches of (features, labels, weights) in an order that depends on seed and epoch alone.

    Shuffled at two levels: blocks of the file are drawn in random order into a pool of up to
    ``pool_rows`` rows, and rows are drawn at random from the pool. Memory is the pool's. If all
    rows fit into one pool it is filled once and shuffled anew each epoch.

    Args:
        table: The features.
        rows: Row numbers of ``table`` to train on.
        labels: Class index of every one of ``rows``, int.
        weights: Weight of every one of ``rows``, float32.
        batch_size: Rows a batch; the last batch of an epoch may be shorter.
        seed: Seed of the order.
        pool_rows: Rows in memory at a time.
    """

    def __init__(
        self,
        table: FeatureReader,
        rows: np.ndarray,
        labels: np.ndarray,
        weights: np.ndarray,
        batch_size: int,
        seed: int,
        pool_rows: int = 32_768,
    ) -> None:
        super().__init__()
        self._table = table
        self._batch_size = batch_size
        self._seed = seed
        self._pool_rows = pool_rows
        self._row_count = len(rows)
        self._targets = np.full(len(table), -1, dtype=np.int64)
        self._targets[rows] = labels
        self._weights = np.zeros(len(table), dtype=np.float32)
        self._weights[rows] = weights
        self._blocks = [
            number
            for number, (start, stop) in enumerate(table.blocks)
            if (self._targets[start:stop] >= 0).any()
        ]
        fits = len(rows) <= pool_rows
        self._only_pool = self._fill_pool(self._blocks) if fits else None
        self._epoch = 0
        self._batches: Iterator[Batch] = iter(())

    def __len__(self) -> int:
        return -(-self._row_count // self._batch_size)

    def __getitem__(self, index: int) -> Batch:
        # Keras asks for 0, 1, 2, … and looks at the first ones before the first epoch too.
        if index == 0:
            self._batches = self._draw_batches()
        return next(self._batches)

    def on_epoch_end(self) -> None:
        self._epoch += 1

    def _draw_batches(self) -> Iterator[Batch]:
        random = np.random.default_rng([self._seed, self._epoch])
        rest: Batch | None = None
        for pool in self._draw_pools(random):
            shuffled = _take(pool, random.permutation(len(pool[0])))
            if rest is not None:
                shuffled = _concatenate(rest, shuffled)
            whole = len(shuffled[0]) - len(shuffled[0]) % self._batch_size
            for start in range(0, whole, self._batch_size):
                yield _take(shuffled, slice(start, start + self._batch_size))
            rest = _take(shuffled, slice(whole, None))
        if rest is not None and len(rest[0]):
            yield rest

    def _draw_pools(self, random: np.random.Generator) -> Iterator[Batch]:
        if self._only_pool is not None:
            yield self._only_pool
            return
        waiting: list[int] = []
        for number in random.permutation(self._blocks):
            waiting.append(int(number))
            if sum(self._block_size(block) for block in waiting) >= self._pool_rows:
                yield self._fill_pool(waiting)
                waiting = []
        if waiting:
            yield self._fill_pool(waiting)

    def _block_size(self, number: int) -> int:
        start, stop = self._table.blocks[number]
        return stop - start

    def _fill_pool(self, numbers: list[int]) -> Batch:
        features, rows = [], []
        for number in numbers:
            start, stop = self._table.blocks[number]
            wanted = np.flatnonzero(self._targets[start:stop] >= 0)
            features.append(self._table.read_block(number)[wanted])
            rows.append(wanted + start)
        chosen = np.concatenate(rows)
        return np.concatenate(features), self._targets[chosen], self._weights[chosen]


def _take(batch: Batch, rows: slice | np.ndarray) -> Batch:
    features, labels, weights = batch
    return features[rows], labels[rows], weights[rows]


def _concatenate(first: Batch, second: Batch) -> Batch:
    features, labels, weights = (np.concatenate(pair) for pair in zip(first, second, strict=True))
    return features, labels, weights
