"""Pictures and their augmented views, passed through the frozen blocks of a network."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from graft.errors import GraftError
from graft.models.passes_elsewhere import SpreadPasses
from graft.parameters.fine_tuning import AugmentationParameters

if TYPE_CHECKING:
    from graft.models.augmentation import PictureAugmenter


@dataclass(frozen=True)
class ViewPasses:
    """From pictures, by their rows, and numbers of views to what the frozen blocks give.

    Attributes:
        forward: Passes a batch through the blocks.
        read: Copies rows, given by their numbers, of the pictures of all splits.
        names: Name of every picture, for messages.
        augmenter: Makes the views.
        seed: Seed of the views.
        dtype: ``float16`` or ``float32``, of what is returned.
    """

    forward: Callable[[np.ndarray], np.ndarray]
    read: Callable[[np.ndarray], np.ndarray]
    names: np.ndarray
    augmenter: PictureAugmenter
    seed: int
    dtype: str

    def __call__(self, pictures: np.ndarray, numbers: np.ndarray) -> np.ndarray:
        """Activations (n, …) of a batch.

        Args:
            pictures: Row of each picture, int (n,).
            numbers: Of the view of each, int (n,); 0 is the picture itself.

        Raises:
            GraftError: If an activation is too large for the type.
        """
        pixels = self.read(pictures)
        changed = numbers > 0
        if changed.any():
            pixels[changed] = self.augmenter.make_views(
                pixels[changed], numbers[changed].tolist(), self.seed
            )
        with np.errstate(over="ignore"):
            activations = self.forward(pixels).astype(self.dtype)
        if not np.isfinite(activations).all():
            raise GraftError(
                "an activation of the frozen blocks is not a finite number in "
                f"{self.dtype}; set fine_tuning.activation_dtype to float32, or "
                f"fine_tuning.activation_cache to false; got the picture "
                f"'{self.names[pictures[_find_infinite(activations)]]}'"
            )
        return activations


def _find_infinite(activations: np.ndarray) -> int:
    finite = np.isfinite(activations.reshape(len(activations), -1)).all(axis=1)
    return int(np.argmin(finite))


@dataclass(frozen=True)
class SpreadViews:
    """The same wherever it is called; a function of pairs of a picture's row and a view's number.

    Attributes:
        passes: The pictures and the blocks, in files.
        names: As of :class:`ViewPasses`.
        augmentation: How views are made.
        image_size: Side of the pictures, in pixels.
        seed: As of :class:`ViewPasses`.
        dtype: As of :class:`ViewPasses`.
    """

    passes: SpreadPasses
    names: np.ndarray
    augmentation: AugmentationParameters
    image_size: int
    seed: int
    dtype: str

    def __call__(self, rows: Sequence[tuple[int, int]]) -> Iterator[np.ndarray]:
        """Activations of every view, in their order."""
        from graft.models.augmentation import PictureAugmenter

        network = self.passes.network
        passes = ViewPasses(
            network.open(), self.passes.read, self.names,
            PictureAugmenter(self.augmentation, self.image_size), self.seed, self.dtype,
        )  # fmt: skip
        pictures, numbers = np.array(rows, np.int64).reshape(-1, 2).T
        for start in range(0, len(rows), network.batch_size):
            some = slice(start, start + network.batch_size)
            yield from passes(pictures[some], numbers[some])
