"""Pictures of which only a teacher's answer is known: shares of classes in the place of a label.

A student learns the labels and these answers (noisy student, Xie et al., CVPR 2020; its noise are
the augmented views).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from graft.backends.backend import Rows
from graft.fingerprints import fingerprint_code, hash_parts
from graft.models.augmentation import PictureAugmenter, is_active
from graft.parameters.fine_tuning import FineTuningParameters
from graft.training.shuffling import BatchSource, Read
from graft.training.views import FreshViews, ViewPools


@dataclass(frozen=True)
class Pictures:
    """Pictures, and what they show or are thought to show.

    Attributes:
        read: Copies pictures by their rows, (n, H, W, 3) uint8.
        rows: Those that are learnt from, int (N,).
        shares: Of every one of them the shares of all classes, float (N, C).
    """

    read: Read
    rows: np.ndarray
    shares: np.ndarray


class SoftRows:
    """A :class:`~graft.training.shuffling.BatchSource` with shares of classes as labels.

    Args:
        source: Rows whose labels are their numbers, from 0.
        shares: Of every number the shares of all classes, float32 (N, C).

    Attributes:
        class_count: Says that labels are shares of classes, float32 (n, C), not class indices.
    """

    def __init__(self, source: BatchSource, shares: np.ndarray) -> None:
        self.row_count, self.class_count = source.row_count, shares.shape[1]
        self.input_shape, self.input_dtype = source.input_shape, source.input_dtype
        self._source, self._shares = source, shares

    def draw(self, random: np.random.Generator | None = None) -> Iterator[Rows]:
        """All rows of a pass, each with its shares."""
        for inputs, numbers, weights in self._source.draw(random):
            yield inputs, self._shares[numbers], weights

    def fingerprint(self) -> str:
        """SHA-256 of the rows and of their shares."""
        return hash_parts(
            fingerprint_code(SoftRows), self._source.fingerprint(), self._shares.tobytes()
        )


def join_pictures(
    labelled: Pictures, thought: Pictures, size: int, settings: FineTuningParameters
) -> SoftRows:
    """Labelled pictures and those of which a teacher thinks something.

    An answer weighs no more than a label, and all answers together no more than all labels: the
    many would drown the few that are certain. On average a picture weighs 1.

    Args:
        labelled: With the label as the whole share of one class.
        thought: With the teacher's answers.
        size: Side of a picture, in pixels.
        settings: Of the training: augmentation and repeats. Mixup is left out, for answers are
            mixtures already.
    """
    counts = (len(labelled.rows), len(thought.rows))

    def read(places: np.ndarray) -> np.ndarray:
        is_thought = places >= counts[0]
        own, others = places[~is_thought], places[is_thought] - counts[0]
        found = labelled.read(labelled.rows[own])
        mixed = np.empty((len(places), *found.shape[1:]), found.dtype)
        mixed[~is_thought] = found
        mixed[is_thought] = thought.read(thought.rows[others])
        return mixed

    augmenter = PictureAugmenter(settings.augmentation, size)
    active = augmenter if is_active(settings.augmentation) else None
    places = np.arange(sum(counts))
    weights = np.repeat([1.0, min(1.0, counts[0] / counts[1])], counts)
    weights /= weights.mean()
    pools = ViewPools(
        FreshViews(read, places, active), places, weights.astype(np.float32), settings.repeats
    )
    shares = np.concatenate([labelled.shares, thought.shares]).astype(np.float32)
    return SoftRows(pools, shares)
