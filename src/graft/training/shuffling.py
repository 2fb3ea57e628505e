"""Rows of a large table in a new order every epoch, from disk, through a bounded buffer."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterator
from functools import cached_property
from typing import Protocol

import numpy as np

from graft.backends.backend import DrawnRows, Layout, Rows
from graft.fingerprints import fingerprint_code

# Copies rows, given by their numbers, of an array that stays on disk.
Read = Callable[[np.ndarray], np.ndarray]
_PIECE_BYTES = 8 << 20


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

    def hold_inputs(self, most_bytes: int) -> np.ndarray | None:
        """All inputs as one array (N, …); None if they are of more bytes than that."""
        row_bytes = math.prod(self.input_shape) * np.dtype(self.input_dtype).itemsize
        if self.row_count * row_bytes > most_bytes:
            return None
        return self._reader.read_rows(self._rows)

    def lay_out(self, random: np.random.Generator | None = None) -> Layout:
        """The pass that :meth:`draw` would yield, of the rows of :meth:`hold_inputs`."""
        order = np.arange(self.row_count) if random is None else random.permutation(self.row_count)
        return Layout(order, self._labels[order], self._weights[order])

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


class BatchSource(DrawnRows, Protocol):
    """Rows to train or to measure on: :class:`~graft.training.shuffling.RowPools`, or your own."""

    def fingerprint(self) -> str:
        """Name of the content: equal only if every pass yields the same rows."""


def count_shares(source: BatchSource) -> int:
    """Number of classes of which each row has a share; 0 if each row is of one class."""
    return getattr(source, "class_count", 0)
