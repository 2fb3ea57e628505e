"""Pictures of a split as a training sees them: one view of each in an epoch."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterator
from dataclasses import astuple
from functools import cached_property
from typing import Any, Protocol

import numpy as np
import pandas as pd

from graft.backends.backend import Layout, Rows
from graft.fingerprints import fingerprint_code, hash_parts
from graft.models.augmentation import Looks, PictureAugmenter, look_at
from graft.parameters.training import TrainingParameters
from graft.training.losses import read_sample_weights, weigh_pictures
from graft.training.shuffling import ArrayReader, Read, RowPools

_POOL_PICTURES = 256


# From places in a pass to the rows of the held inputs, and the arguments of what changes them.
LayOut = Callable[[np.ndarray], tuple[np.ndarray, tuple[np.ndarray, ...]]]


class ViewReader(Protocol):
    """Views of the pictures of one split, stored or made anew.

    Attributes:
        input_shape: Shape of one view.
        input_dtype: Name of its dtype.
        stored_count: Rows of :meth:`hold_inputs`.
        change: What makes views of those rows, as of :class:`~graft.backends.backend.Layout`.
    """

    input_shape: tuple[int, ...]
    input_dtype: str
    stored_count: int
    change: Callable[..., Any] | None

    def hold_inputs(self) -> np.ndarray:
        """All that views are made of, as one array (N, …)."""

    def lay_out_pass(self, random: np.random.Generator | None, repeats: int = 1) -> LayOut:
        """Choose the views of one pass, as :meth:`start_pass`, to be made of those rows."""

    def start_pass(self, random: np.random.Generator | None, repeats: int = 1) -> Read:
        """Choose the views of one pass, to be read by their places in it.

        All pictures of the split come first once, in their order, then all a second time, and so
        on: of so many pictures n the place p is of picture p modulo n.

        Args:
            random: Chooses; None for the pictures as they are.
            repeats: How often every picture stands in the pass, each time in a view of its own.
        """

    def hash_content(self) -> str:
        """SHA-256 of all that the views of any pass are made of, settings left out."""


class StoredViews:
    """Boundary activations: ``1 + views`` rows a picture, the picture itself first.

    Args:
        read: Copies rows of the activations of all splits.
        first: The first row of this split.
        count: Pictures of this split.
        views: Augmented views of each of them.
    """

    def __init__(self, read: Read, first: int, count: int, views: int) -> None:
        nothing = read(np.arange(0))
        self.input_shape: tuple[int, ...] = nothing.shape[1:]
        self.input_dtype = nothing.dtype.name
        self._read, self._first, self._count, self._views = read, first, count, views
        self.stored_count = count * (views + 1)
        self.change: Callable[..., Any] | None = None

    def start_pass(self, random: np.random.Generator | None, repeats: int = 1) -> Read:
        rows = self._first + self._choose(random, repeats)
        return lambda places: self._read(rows[places])

    def lay_out_pass(self, random: np.random.Generator | None, repeats: int = 1) -> LayOut:
        rows = self._choose(random, repeats)
        return lambda places: (rows[places], ())

    def hold_inputs(self) -> np.ndarray:
        return self._read(self._first + np.arange(self.stored_count))

    def _choose(self, random: np.random.Generator | None, repeats: int) -> np.ndarray:
        count = self._count * repeats
        chosen = np.zeros(count, np.int64)
        if random is not None and self._views:
            chosen = random.integers(0, self._views + 1, count)
        return np.arange(count) % self._count * (self._views + 1) + chosen

    def hash_content(self) -> str:
        return _hash_rows(
            self._read, self._first + np.arange(self._count * (self._views + 1)), self._views
        )


class FreshViews:
    """Pictures, augmented anew in every pass.

    Args:
        read: Copies rows of the pictures of all splits, (N, H, W, 3) uint8.
        rows: The rows of this split.
        augmenter: Makes the views; None leaves the pictures as they are.
    """

    def __init__(
        self,
        read: Read,
        rows: np.ndarray,
        augmenter: PictureAugmenter | None,
    ) -> None:
        nothing = read(np.arange(0))
        self.input_shape: tuple[int, ...] = nothing.shape[1:]
        self.input_dtype = nothing.dtype.name
        self._read, self._rows, self._augmenter = read, rows, augmenter
        self.stored_count = len(rows)
        self.change = None if augmenter is None else augmenter.change

    def start_pass(self, random: np.random.Generator | None, repeats: int = 1) -> Read:
        augmenter, count = self._augmenter, len(self._rows)
        if random is None or augmenter is None:
            return lambda places: self._read(self._rows[places % count])
        seed = int(random.integers(2**32))

        def read(places: np.ndarray) -> np.ndarray:
            pixels = self._read(self._rows[places % count])
            return augmenter.make_views(pixels, (1 + places // count).tolist(), seed)

        return read

    def lay_out_pass(self, random: np.random.Generator | None, repeats: int = 1) -> LayOut:
        augmenter, count = self._augmenter, len(self._rows)
        if random is None or augmenter is None:
            return lambda places: (places % count, ())
        seed = int(random.integers(2**32))
        if augmenter.change is None:
            return lambda places: (places % count, ())

        def lay_out(places: np.ndarray) -> tuple[np.ndarray, tuple[np.ndarray, ...]]:
            rows = places % count
            looks = Looks(self._looks.keys[rows], self._looks.means[rows])
            views = (1 + places // count).tolist()
            return rows, augmenter.find_changes(looks, views, seed)

        return lay_out

    def hold_inputs(self) -> np.ndarray:
        return self._read(self._rows)

    @cached_property
    def _looks(self) -> Looks:
        parts = [
            look_at(self._read(self._rows[start : start + _POOL_PICTURES]))
            for start in range(0, len(self._rows), _POOL_PICTURES)
        ]
        return Looks(*(np.concatenate(part) for part in zip(*map(astuple, parts), strict=True)))

    def hash_content(self) -> str:
        return _hash_rows(self._read, self._rows, self._augmenter is not None)


class ViewPools:
    """One view of every picture a pass: a :class:`~graft.training.shuffling.BatchSource`.

    Memory holds the views of a few hundred pictures at a time.

    Args:
        views: Where they come from.
        labels: Class index of every picture, int64.
        weights: Weight of every picture, float32.
        repeats: How often every picture stands in a pass, each time in a view of its own.
    """

    def __init__(
        self, views: ViewReader, labels: np.ndarray, weights: np.ndarray, repeats: int = 1
    ) -> None:
        self.row_count = len(labels) * repeats
        self.input_shape, self.input_dtype = views.input_shape, views.input_dtype
        self._views, self._labels, self._weights = views, labels, weights
        self._repeats = repeats

    def draw(self, random: np.random.Generator | None = None) -> Iterator[Rows]:
        """Every picture once or so often, a pool of views, class indices and weights at a time.

        Args:
            random: Chooses the views and the order, one permutation of all repeats; None for the
                plain pictures in their order.
        """
        read = self._views.start_pass(random, self._repeats)
        order = np.arange(self.row_count) if random is None else random.permutation(self.row_count)
        for start in range(0, self.row_count, _POOL_PICTURES):
            places = order[start : start + _POOL_PICTURES]
            pictures = places % len(self._labels)
            # The file is read forward, whatever the order.
            forward = np.argsort(pictures, kind="stable")
            pool = np.empty((len(places), *self.input_shape), self.input_dtype)
            pool[forward] = read(places[forward])
            yield pool, self._labels[pictures], self._weights[pictures]

    def hold_inputs(self, most_bytes: int) -> np.ndarray | None:
        """All that views are made of, as one array; None if it is of more bytes than that."""
        row_bytes = math.prod(self.input_shape) * np.dtype(self.input_dtype).itemsize
        if self._views.stored_count * row_bytes > most_bytes:
            return None
        return self._views.hold_inputs()

    def lay_out(self, random: np.random.Generator | None = None) -> Layout:
        """The pass that :meth:`draw` would yield, of the rows of :meth:`hold_inputs`."""
        lay_out = self._views.lay_out_pass(random, self._repeats)
        order = np.arange(self.row_count) if random is None else random.permutation(self.row_count)
        rows, arguments = lay_out(order)
        pictures = order % len(self._labels)
        return Layout(
            rows, self._labels[pictures], self._weights[pictures],
            self._views.change if arguments else None, arguments,
        )  # fmt: skip

    def fingerprint(self) -> str:
        """SHA-256 of all views, labels and weights, and of the code that draws them."""
        return hash_parts(
            fingerprint_code(ViewPools),
            self._views.hash_content(),
            self._labels.tobytes(),
            self._weights.tobytes(),
            self._repeats,
        )


def _hash_rows(read: Read, rows: np.ndarray, views: int) -> str:
    digest = hashlib.sha256(f"{len(rows)} rows, {views} views ".encode())
    for start in range(0, len(rows), _POOL_PICTURES):
        digest.update(np.ascontiguousarray(read(rows[start : start + _POOL_PICTURES])).data)
    return digest.hexdigest()


def pool_rows(
    read: Read, splits: pd.DataFrame, class_count: int, parameters: TrainingParameters
) -> tuple[RowPools, RowPools]:
    """Divide the rows of an array into train, with their weights, and dev.

    Args:
        read: Copies rows of an array (N, …) in the order of ``splits``.
        splits: Columns ``split``, ``label_index`` and, if asked for, that of sample weights.
        class_count: Number of classes.
        parameters: Weights of classes and samples.

    Raises:
        GraftError: If the column of sample weights is missing or wrong.
    """
    train, dev = (np.flatnonzero(splits["split"] == split) for split in ("train", "dev"))
    labels = splits["label_index"].to_numpy(np.int64)
    weights = weigh_pictures(labels[train], class_count, parameters.class_weights)
    if parameters.sample_weights is not None:
        weights *= read_sample_weights(
            splits.iloc[train], parameters.sample_weights, parameters.stage
        )
    reader = ArrayReader(read)
    return (
        RowPools(reader, train, labels[train], weights),
        RowPools(reader, dev, labels[dev], np.ones(len(dev), np.float32)),
    )
