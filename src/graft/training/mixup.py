"""Mixup: pictures and what they show, mixed in pairs (Zhang et al. 2018, arXiv:1710.09412).

A row is mixed with another one of its pool, in a share of its own that is drawn from Beta(α, α),
and its label becomes the same mixture of both. The partner is of the rows that are in memory
anyway; since a pool is a random part of the pass, it is as good as one of all.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from graft.backends.backend import Rows
from graft.fingerprints import fingerprint_code, hash_parts
from graft.training.shuffling import BatchSource


class MixedRows:
    """A :class:`~graft.training.shuffling.BatchSource` whose rows are mixed, to be trained on.

    Args:
        source: Rows with class indices.
        alpha: Of the Beta distribution: near 0 nearly nothing is mixed, 1 mixes evenly.
        class_count: Number of classes C.

    Attributes:
        class_count: Says that labels are shares of classes, float32 (n, C), not class indices.
    """

    def __init__(self, source: BatchSource, alpha: float, class_count: int) -> None:
        self.row_count, self.class_count = source.row_count, class_count
        self.input_shape, self.input_dtype = source.input_shape, source.input_dtype
        self._source, self._alpha = source, alpha

    def draw(self, random: np.random.Generator | None = None) -> Iterator[Rows]:
        """All rows of a pass, mixed; without ``random`` as they are."""
        for inputs, labels, weights in self._source.draw(random):
            shares = np.eye(self.class_count, dtype=np.float32)[labels]
            if random is None:
                yield inputs, shares, weights
                continue
            partners = random.permutation(len(labels))
            # The larger share is the row's own: its weight is that of what it mostly shows.
            own = random.beta(self._alpha, self._alpha, len(labels)).astype(np.float32)
            own = np.maximum(own, 1 - own)
            mixed = _mix(inputs, inputs[partners], own)
            yield mixed, _mix(shares, shares[partners], own), weights

    def fingerprint(self) -> str:
        """SHA-256 of what is mixed and how."""
        return hash_parts(
            fingerprint_code(MixedRows), self._source.fingerprint(), self._alpha, self.class_count
        )


def _mix(rows: np.ndarray, partners: np.ndarray, own: np.ndarray) -> np.ndarray:
    own = own.reshape(-1, *[1] * (rows.ndim - 1))
    mixed = own * rows.astype(np.float32) + (1 - own) * partners.astype(np.float32)
    return (np.rint(mixed) if rows.dtype == np.uint8 else mixed).astype(rows.dtype)
