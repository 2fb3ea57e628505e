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
# Copies rows, given by their numbers, of an array that stays on disk.
Read = Callable[[np.ndarray], np.ndarray]
_PIECE_BYTES = 8 << 20
_INDICES = tf.TensorSpec((None,), tf.int64)


class RowReader(Protocol):
    """Rows that are read when they are asked for, such as the catalog's ``features``."""

    def read_rows(self, rows: np.ndarray) -> np.ndarray:
        """Copy rows (n, …), most of those between the first and the last."""

    def read_scattered(self, rows: np.ndarray) -> np.ndarray:
        """Copy rows (n, …), a few of those between the first and the last, again and again."""


class ArrayReader:
    """The rows of an array or memory map, of which every row can be read by itself.

    Args:
        read: Copies rows.
    """

    def __init__(self, read: Read) -> None:
        self.read_rows = self.read_scattered = read


class RowPools:
    """The rows of one split: a :class:`~graft.training.shuffling.BatchSource`.

    Pictures of a class are neighbours on disk. So a pass is a permutation of all rows, whatever
    is drawn first: as many rows as memory may hold are read in the order in which they lie, and
    drawn in that of the permutation. How many that are changes memory and speed and nothing
    else: the rows come in the same order. If all fit, they are read once and kept.

    Args:
        reader: The inputs, of any shape and dtype.
        rows: Row numbers of ``reader`` in this split; at least one.
        labels: Class index of every one of ``rows``, int.
        weights: Weight of every one of ``rows``, float32.
        pool_bytes: Inputs in memory at a time.

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
        as_they_lie = np.argsort(rows)
        self._rows = np.asarray(rows)[as_they_lie]
        self._labels = np.asarray(labels, np.int64)[as_they_lie]
        self._weights = np.asarray(weights, np.float32)[as_they_lie]
        first = reader.read_rows(self._rows[:1])
        self.input_shape: tuple[int, ...] = first.shape[1:]
        self.input_dtype = first.dtype.name
        row_bytes = max(first.nbytes, 1)
        self._pool_rows = max(pool_bytes // row_bytes, 1)
        self._piece_rows = max(_PIECE_BYTES // row_bytes, 1)

    def draw(self, random: np.random.Generator | None = None) -> Iterator[Rows]:
        """Every row once, some inputs, class indices and weights at a time.

        Args:
            random: Permutes all rows; None for the order in which they lie.
        """
        count = self.row_count
        order = np.arange(count) if random is None else random.permutation(count)
        for start in range(0, count, self._pool_rows):
            # A call of its own: its pool is gone before the next one is read.
            yield from self._draw_pool(order[start : start + self._pool_rows], random is None)

    def fingerprint(self) -> str:
        """SHA-256 of all inputs, labels and weights, and of the code that draws them.

        All inputs are read: one picture that was changed makes another training.
        """
        digest = hashlib.sha256(fingerprint_code(RowPools).encode())
        digest.update(self._labels.tobytes())
        digest.update(self._weights.tobytes())
        for inputs, _, _ in self.draw():
            digest.update(np.ascontiguousarray(inputs).data)
        return digest.hexdigest()

    @cached_property
    def _all_inputs(self) -> np.ndarray:
        return self._reader.read_rows(self._rows)

    def _draw_pool(self, chosen: np.ndarray, in_order: bool) -> Iterator[Rows]:
        pool, places = self._read_pool(chosen, in_order)
        for start in range(0, len(chosen), self._piece_rows):
            piece = slice(start, start + self._piece_rows)
            some = chosen[piece]
            yield pool[places[piece]], self._labels[some], self._weights[some]

    def _read_pool(self, chosen: np.ndarray, in_order: bool) -> tuple[np.ndarray, np.ndarray]:
        """Inputs in memory, and where among them each of the chosen is."""
        if self.row_count <= self._pool_rows:
            return self._all_inputs, chosen
        if in_order:
            return self._reader.read_rows(self._rows[chosen]), np.arange(len(chosen))
        forward = np.argsort(chosen)
        places = np.empty_like(forward)
        places[forward] = np.arange(len(chosen))
        return self._read_scattered(self._rows[chosen[forward]]), places

    def _read_scattered(self, rows: np.ndarray) -> np.ndarray:
        """Read some at a time: what a memory map has touched counts as memory until it is left."""
        pool = np.empty((len(rows), *self.input_shape), self.input_dtype)
        for start in range(0, len(rows), self._piece_rows):
            piece = slice(start, start + self._piece_rows)
            pool[piece] = self._reader.read_scattered(rows[piece])
        return pool


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
            Pools of inputs (n, …), class indices int64 (n,) and weights float32 (n,). With an
            attribute ``class_count``, instead of indices the shares of all classes, float32
            (n, C).
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
    class_count = count_shares(source)
    signature = (
        tf.TensorSpec((None, *source.input_shape), source.input_dtype),
        tf.TensorSpec((None, class_count), tf.float32) if class_count else _INDICES,
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


def count_shares(source: BatchSource) -> int:
    """Number of classes of which each row has a share; 0 if each row is of one class."""
    return getattr(source, "class_count", 0)


def lend_copies(pools: Iterator[Rows]) -> Iterator[Rows]:
    """Copies of pools, for TensorFlow to do with as it likes.

    It takes NumPy arrays that are aligned to 64 bytes as they are, believes that it owns them,
    and reuses their memory for results. A pool that is kept for the next pass would be changed.
    """
    for inputs, labels, weights in pools:
        yield np.array(inputs), np.array(labels), np.array(weights)
