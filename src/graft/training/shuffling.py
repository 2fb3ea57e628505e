"""Rows of a large table in a new order every epoch, from disk, through a bounded buffer."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from functools import cached_property
from typing import Protocol

import numpy as np
import tensorflow as tf

from graft.fingerprints import fingerprint_code

Rows = tuple[np.ndarray, np.ndarray, np.ndarray]


class RowReader(Protocol):
    """Rows that are read a block at a time, such as the catalog's ``features``."""

    blocks: list[tuple[int, int]]

    def __len__(self) -> int: ...

    def read_block(self, number: int) -> np.ndarray: ...


class ArrayReader:
    """The rows of an array or memory map, in blocks of neighbours.

    Args:
        array: Inputs (N, …) of any dtype.
        block_rows: Rows that are read together and stay together until they are shuffled.
    """

    def __init__(self, array: np.ndarray, block_rows: int = 64) -> None:
        starts = range(0, len(array), block_rows)
        self.blocks = [(start, min(start + block_rows, len(array))) for start in starts]
        self._array = array

    def __len__(self) -> int:
        return len(self._array)

    def read_block(self, number: int) -> np.ndarray:
        """Rows ``blocks[number]``, copied into memory."""
        start, stop = self.blocks[number]
        return np.array(self._array[start:stop])


class RowPools:
    """The rows of one split: a :class:`~graft.training.shuffling.BatchSource`.

    If all rows fit into one pool, they are read once and kept.

    Args:
        reader: The inputs, of any shape and dtype.
        rows: Row numbers of ``reader`` in this split; at least one.
        labels: Class index of every one of ``rows``, int.
        weights: Weight of every one of ``rows``, float32.
        pool_bytes: Inputs in memory at a time; a draw needs about three times as much.

    Attributes:
        row_count: Number of rows.
        input_shape: Shape of one input.
        input_dtype: Name of its dtype.
    """

    def __init__(
        self,
        reader: RowReader,
        rows: np.ndarray,
        labels: np.ndarray,
        weights: np.ndarray,
        pool_bytes: int = 128 << 20,
    ) -> None:
        self.row_count = len(rows)
        self._reader = reader
        self._targets = np.full(len(reader), -1, dtype=np.int64)
        self._targets[rows] = labels
        self._weights = np.zeros(len(reader), dtype=np.float32)
        self._weights[rows] = weights
        self._blocks = [
            number
            for number, (start, stop) in enumerate(reader.blocks)
            if (self._targets[start:stop] >= 0).any()
        ]
        first = reader.read_block(self._blocks[0])
        self.input_shape: tuple[int, ...] = first.shape[1:]
        self.input_dtype = first.dtype.name
        row_bytes = max(first[:1].nbytes, 1)
        self._pool_rows = max(pool_bytes // row_bytes, 1)
        self._fits = self.row_count <= self._pool_rows

    def draw(self, random: np.random.Generator | None = None) -> Iterator[Rows]:
        """Every row once, a pool of inputs, class indices and weights at a time.

        Args:
            random: Shuffles blocks among pools and rows within a pool; None keeps the order.
        """
        for pool in self._draw_pools(random):
            if random is None:
                yield pool
            else:
                order = random.permutation(len(pool[0]))
                yield pool[0][order], pool[1][order], pool[2][order]

    def fingerprint(self) -> str:
        """SHA-256 of which rows are drawn, of their inputs, labels and weights, and of the code.

        All inputs are read: one picture that was changed makes another training.
        """
        digest = hashlib.sha256(fingerprint_code(RowPools).encode())
        digest.update(self._targets.tobytes())
        digest.update(self._weights.tobytes())
        for inputs, _, _ in self._draw_pools(None):
            digest.update(np.ascontiguousarray(inputs).data)
        return digest.hexdigest()

    @cached_property
    def _only_pool(self) -> Rows:
        return self._fill(self._blocks)

    def _draw_pools(self, random: np.random.Generator | None) -> Iterator[Rows]:
        if self._fits:
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
        start, stop = self._reader.blocks[number]
        return stop - start

    def _fill(self, numbers: list[int]) -> Rows:
        inputs, rows = [], []
        for number in numbers:
            start, stop = self._reader.blocks[number]
            wanted = np.flatnonzero(self._targets[start:stop] >= 0)
            inputs.append(self._reader.read_block(number)[wanted])
            rows.append(wanted + start)
        chosen = np.concatenate(rows)
        return np.concatenate(inputs), self._targets[chosen], self._weights[chosen]


class BatchSource(Protocol):
    """Rows to train or to measure on: :class:`~graft.training.shuffling.RowPools`, or your own.

    Attributes:
        row_count: Rows of one pass; every pass has so many.
        input_shape: Shape of one input: (D,) of features, (H, W, C) of pictures.
        input_dtype: Name of its dtype: ``float32``, ``float16``, ``uint8``.
    """

    @property
    def row_count(self) -> int: ...

    @property
    def input_shape(self) -> tuple[int, ...]: ...

    @property
    def input_dtype(self) -> str: ...

    def draw(self, random: np.random.Generator | None = None) -> Iterator[Rows]:
        """Yield all rows of one pass in pools of any size.

        Args:
            random: Source of all that is random in this pass; None for the plain order.

        Returns:
            Pools of inputs (n, …), class indices int64 (n,) and weights float32 (n,).
        """

    def fingerprint(self) -> str:
        """Name of the content: equal only if every pass yields the same rows."""


def shuffle_batches(
    source: BatchSource, batch_size: int, epochs: int, seed: int, first_epoch: int = 0
) -> tf.data.Dataset:
    """Training batches of the epochs ``first_epoch`` to ``epochs - 1``, one after the other.

    The last batch of an epoch may be shorter; no batch reaches over its end.
    """
    return _batch_passes(
        source,
        lambda epoch: np.random.default_rng([seed, int(epoch)]),
        batch_size,
        range(first_epoch, epochs),
    )


def batch_in_order(source: BatchSource, batch_size: int, passes: int) -> tf.data.Dataset:
    """Batches of so many passes over all rows, each in their order, to measure on."""
    return _batch_passes(source, lambda _: None, batch_size, range(passes))


def _batch_passes(
    source: BatchSource,
    make_random: Callable[[int], np.random.Generator | None],
    batch_size: int,
    passes: range,
) -> tf.data.Dataset:
    """One endless-looking data set: to start a new one each epoch costs more than a pass."""
    signature = (
        tf.TensorSpec((None, *source.input_shape), source.input_dtype),
        tf.TensorSpec((None,), tf.int64),
        tf.TensorSpec((None,), tf.float32),
    )

    @tf.autograph.experimental.do_not_convert
    def draw_pass(number: tf.Tensor) -> tf.data.Dataset:
        return tf.data.Dataset.from_generator(
            lambda number: lend_copies(source.draw(make_random(number))),
            args=(number,),
            output_signature=signature,
        ).rebatch(batch_size)

    return tf.data.Dataset.range(passes.start, passes.stop).flat_map(draw_pass).prefetch(2)


def lend_copies(pools: Iterator[Rows]) -> Iterator[Rows]:
    """Copies of pools, for TensorFlow to do with as it likes.

    It takes NumPy arrays that are aligned to 64 bytes as they are, believes that it owns them,
    and reuses their memory for results. A pool that is kept for the next pass would be changed.
    """
    for inputs, labels, weights in pools:
        yield np.array(inputs), np.array(labels), np.array(weights)
