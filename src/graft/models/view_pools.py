"""Pictures of a split as a training sees them: one view of each in an epoch."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Protocol

import numpy as np

from graft.fingerprints import fingerprint_code, hash_parts
from graft.models.augmentation import PictureAugmenter
from graft.models.row_pools import Read, Rows

_POOL_PICTURES = 256


class ViewReader(Protocol):
    """Views of the pictures of one split, stored or made anew.

    Attributes:
        input_shape: Shape of one view.
        input_dtype: Name of its dtype.
    """

    input_shape: tuple[int, ...]
    input_dtype: str

    def start_pass(self, random: np.random.Generator | None) -> Read:
        """Choose the views of one pass, to be read by the places of pictures in their split.

        Args:
            random: Chooses; None for the pictures as they are.
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

    def start_pass(self, random: np.random.Generator | None) -> Read:
        chosen = np.zeros(self._count, np.int64)
        if random is not None and self._views:
            chosen = random.integers(0, self._views + 1, self._count)
        rows = self._first + np.arange(self._count) * (self._views + 1) + chosen
        return lambda pictures: self._read(rows[pictures])

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

    def start_pass(self, random: np.random.Generator | None) -> Read:
        augmenter = self._augmenter
        if random is None or augmenter is None:
            return lambda pictures: self._read(self._rows[pictures])
        seed = int(random.integers(2**32))

        def read(pictures: np.ndarray) -> np.ndarray:
            pixels = self._read(self._rows[pictures])
            return augmenter.make_views(pixels, [1] * len(pictures), seed)

        return read

    def hash_content(self) -> str:
        return _hash_rows(self._read, self._rows, self._augmenter is not None)


class ViewPools:
    """One view of every picture a pass: a :class:`~graft.models.batches.BatchSource`.

    Memory holds the views of a few hundred pictures at a time.

    Args:
        views: Where they come from.
        labels: Class index of every picture, int64.
        weights: Weight of every picture, float32.
    """

    def __init__(self, views: ViewReader, labels: np.ndarray, weights: np.ndarray) -> None:
        self.row_count = len(labels)
        self.input_shape, self.input_dtype = views.input_shape, views.input_dtype
        self._views, self._labels, self._weights = views, labels, weights

    def draw(self, random: np.random.Generator | None = None) -> Iterator[Rows]:
        """Every picture once, a pool of views, class indices and weights at a time.

        Args:
            random: Chooses the views and the order; None for the plain pictures in their order.
        """
        read = self._views.start_pass(random)
        order = np.arange(self.row_count) if random is None else random.permutation(self.row_count)
        for start in range(0, self.row_count, _POOL_PICTURES):
            pictures = order[start : start + _POOL_PICTURES]
            # The file is read forward, whatever the order.
            forward = np.argsort(pictures)
            pool = np.empty((len(pictures), *self.input_shape), self.input_dtype)
            pool[forward] = read(pictures[forward])
            yield pool, self._labels[pictures], self._weights[pictures]

    def fingerprint(self) -> str:
        """SHA-256 of all views, labels and weights, and of the code that draws them."""
        return hash_parts(
            fingerprint_code(ViewPools),
            self._views.hash_content(),
            self._labels.tobytes(),
            self._weights.tobytes(),
        )


def _hash_rows(read: Read, rows: np.ndarray, views: int) -> str:
    digest = hashlib.sha256(f"{len(rows)} rows, {views} views ".encode())
    for start in range(0, len(rows), _POOL_PICTURES):
        digest.update(np.ascontiguousarray(read(rows[start : start + _POOL_PICTURES])).data)
    return digest.hexdigest()
