"""What the fine-tuning of a fold is trained on: stored activations, or pictures."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from graft.fine_tuning_parameters import FineTuningParameters
from graft.images.blocks import copy_rows
from graft.images.colours import copy_pictures

if TYPE_CHECKING:
    from graft.models.augmentation import PictureAugmenter
    from graft.models.row_pools import Read
    from graft.models.view_pools import ViewPools, ViewReader


class FoldInputs:
    """Views of any pictures: stored ones of all, or pictures that are augmented anew.

    Args:
        activations: ``fold_activations``; without rows if pictures are trained on.
        images: All pictures.
        splits: A row a picture.
        used: Rows of ``splits`` that have activations, in their order.
        parameters: Of the fine-tuning.
    """

    def __init__(
        self,
        activations: np.ndarray,
        images: np.ndarray,
        splits: pd.DataFrame,
        used: np.ndarray,
        parameters: FineTuningParameters,
    ) -> None:
        self.is_stored = len(activations) > 0
        self._activations, self._images = activations, images
        self._splits, self._parameters = splits, parameters
        self._place = np.full(len(splits), -1)
        self._place[used] = np.arange(len(used))

    def read_plain(self, rows: np.ndarray) -> np.ndarray:
        """The unaugmented view of the pictures in these rows."""
        if self.is_stored:
            return self._read_stored(rows)(np.arange(len(rows)) * self._step)
        return copy_pictures(self._images, rows)

    def make_train(self, rows: np.ndarray, class_count: int) -> ViewPools:
        """Batches of augmented views, with their weights."""
        from graft.models.augmentation import PictureAugmenter, is_active
        from graft.models.class_weights import read_sample_weights, weigh_pictures

        parameters = self._parameters
        weights = weigh_pictures(self._labels[rows], class_count, parameters.class_weights)
        if parameters.sample_weights is not None:
            weights = weights * read_sample_weights(
                self._splits.iloc[rows], parameters.sample_weights, parameters.stage
            )
        augmenter = None
        if not self.is_stored and is_active(parameters.augmentation):
            augmenter = PictureAugmenter(parameters.augmentation, self._images.shape[1])
        return self._pool(rows, weights, parameters.views, augmenter)

    def make_stop(self, rows: np.ndarray) -> ViewPools:
        """Batches of plain views, all of weight 1."""
        return self._pool(rows, np.ones(len(rows), np.float32), views=0, augmenter=None)

    @property
    def _labels(self) -> np.ndarray:
        return self._splits["label_index"].to_numpy(np.int64)

    @property
    def _step(self) -> int:
        return 1 + self._parameters.views

    def _pool(
        self,
        rows: np.ndarray,
        weights: np.ndarray,
        views: int,
        augmenter: PictureAugmenter | None,
    ) -> ViewPools:
        from graft.models.view_pools import FreshViews, StoredViews, ViewPools

        reader: ViewReader
        if self.is_stored:
            spread = self._read_stored(rows)
            step = self._step // (views + 1)  # 1 where all views are drawn from, else all
            reader = StoredViews(lambda wanted: spread(wanted * step), 0, len(rows), views)
        else:
            reader = FreshViews(partial(copy_pictures, self._images), rows, augmenter)
        return ViewPools(reader, self._labels[rows], weights)

    def _read_stored(self, rows: np.ndarray) -> Read:
        """Reads as if the views of these pictures were stored one after another."""
        first = self._place[rows] * self._step

        def read(wanted: np.ndarray) -> np.ndarray:
            picture, view = np.divmod(wanted, self._step)
            return copy_rows(self._activations, first[picture] + view)

        return read
