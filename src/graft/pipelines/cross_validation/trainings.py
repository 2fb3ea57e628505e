"""Which pictures each fold trains on, and its trainings with the project's own stages."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from graft.analysis.clusters import count_clusters, deal_folds
from graft.compute.streams import copy_rows
from graft.datasets.features import FeatureTable
from graft.errors import GraftError
from graft.images.colours import copy_pictures
from graft.parameters.fine_tuning import FineTuningParameters
from graft.parameters.training import HeadTrainingParameters
from graft.pipelines.cross_validation.parameters import CrossValidationParameters
from graft.types import KerasModel

if TYPE_CHECKING:
    from graft.models.augmentation import PictureAugmenter
    from graft.training.shuffling import BatchSource, Read
    from graft.training.views import ViewPools, ViewReader

_LEAST = 3  # one to measure, one to stop by, one to train on


@dataclass(frozen=True)
class Fold:
    """Rows of ``splits``, int each.

    Attributes:
        number: From 0.
        train: To train on.
        stop: To stop by: the next fold. What stops a training must not measure it.
        measure: To measure on.
    """

    number: int
    train: np.ndarray
    stop: np.ndarray
    measure: np.ndarray


def find_used(splits: pd.DataFrame) -> np.ndarray:
    """Rows of all pictures but those of test, int (n,)."""
    return np.flatnonzero(splits["fold"] >= 0)


def make_folds(
    splits: pd.DataFrame, class_names: list[str], parameters: CrossValidationParameters
) -> Iterator[Fold]:
    """Divide all pictures but those of test.

    Raises:
        GraftError: If there are fewer than three folds, or a class has fewer clusters than folds.
    """
    used = find_used(splits)
    labels = splits["label_index"].to_numpy(np.int64)[used]
    clusters = splits["cluster"].to_numpy(np.int64)[used]
    if parameters.folds is None:
        number = splits["fold"].to_numpy(np.int64)[used]
        _refuse_too_few_folds(int(number.max(initial=-1)) + 1)
    else:
        _refuse_small_class(labels, clusters, class_names, parameters.folds)
        number = deal_folds(labels, clusters, parameters.folds, parameters.seed)
    count = int(number.max()) + 1
    for fold in range(count):
        stops, measures = number == (fold + 1) % count, number == fold
        yield Fold(fold, used[~(stops | measures)], used[stops], used[measures])


def _refuse_too_few_folds(count: int) -> None:
    if count < _LEAST:
        raise GraftError(
            f"cross_validation.folds: null takes the folds of splits, of which there must be "
            f"{_LEAST} or more; raise splitting.folds, or give cross_validation.folds a number; "
            f"got splitting.folds {count}"
        )


def _refuse_small_class(
    labels: np.ndarray, clusters: np.ndarray, class_names: list[str], folds: int
) -> None:
    counts = count_clusters(labels, clusters, len(class_names))
    smallest = int(counts.argmin())
    if counts[smallest] < folds:
        most = int(counts[smallest])
        advice = f"at most {most} are possible" if most >= _LEAST else "that is too few for any"
        raise GraftError(
            f"cross_validation.folds: outside of test, class '{class_names[smallest]}' has {most} "
            f"{'picture' if most == 1 else 'pictures'} or groups of pictures that belong together, "
            f"and every fold needs one; {advice}; got {folds} folds"
        )


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

    def make_train(self, rows: np.ndarray, class_count: int) -> BatchSource:
        """Batches of augmented views, with their weights."""
        from graft.models.augmentation import PictureAugmenter, is_active
        from graft.training.losses import read_sample_weights, weigh_pictures
        from graft.training.mixup import MixedRows

        parameters = self._parameters
        weights = weigh_pictures(self._labels[rows], class_count, parameters.class_weights)
        if parameters.sample_weights is not None:
            weights = weights * read_sample_weights(
                self._splits.iloc[rows], parameters.sample_weights, parameters.stage
            )
        augmenter = None
        if not self.is_stored and is_active(parameters.augmentation):
            augmenter = PictureAugmenter(parameters.augmentation, self._images.shape[1])
        pools = self._pool(rows, weights, parameters.views, augmenter, parameters.repeats)
        return MixedRows(pools, parameters.mixup, class_count) if parameters.mixup else pools

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
        repeats: int = 1,
    ) -> ViewPools:
        from graft.training.views import FreshViews, StoredViews, ViewPools

        reader: ViewReader
        if self.is_stored:
            spread = self._read_stored(rows)
            step = self._step // (views + 1)  # 1 where all views are drawn from, else all
            reader = StoredViews(lambda wanted: spread(wanted * step), 0, len(rows), views)
        else:
            reader = FreshViews(partial(copy_pictures, self._images), rows, augmenter)
        return ViewPools(reader, self._labels[rows], weights, repeats)

    def _read_stored(self, rows: np.ndarray) -> Read:
        """Reads as if the views of these pictures were stored one after another."""
        first = self._place[rows] * self._step

        def read(wanted: np.ndarray) -> np.ndarray:
            picture, view = np.divmod(wanted, self._step)
            return copy_rows(self._activations, first[picture] + view)

        return read


_BATCH = 32


def train_head_of_fold(
    fold: Fold,
    features: FeatureTable,
    splits: pd.DataFrame,
    class_count: int,
    parameters: HeadTrainingParameters,
) -> tuple[KerasModel, np.ndarray]:
    """Train a head on the stored features, all views of train, and classify the held-out fold.

    Returns:
        The head, and probabilities (m, C) of the pictures to measure on.
    """
    from graft.training.fitting import fit
    from graft.training.heads_on_features import prepare_features, prepare_head

    sides = np.full(len(splits), "unused", dtype=object)
    sides[fold.train], sides[fold.stop] = "train", "dev"
    head = prepare_head(features.dimension, class_count, parameters)
    train, stop, _ = prepare_features(features, splits.assign(split=sides), class_count, parameters)
    fit(head, train, stop, parameters.model_copy(update={"callbacks": ()}))
    rows = features.find_rows(splits["image_id"].iloc[fold.measure])
    return head, predict(head, features.read_rows, rows)


def fine_tune_fold(
    fold: Fold,
    backbone: KerasModel,
    head: KerasModel,
    inputs: FoldInputs,
    class_count: int,
    parameters: FineTuningParameters,
) -> np.ndarray:
    """Fine-tune the last blocks from the fold's own head; afterwards the backbone is as before.

    Returns:
        Probabilities (m, C) of the pictures to measure on.

    Raises:
        GraftError: If no block is to be trained.
    """
    from graft.models.freezing import cut_classifier
    from graft.training.devices import seed_everything
    from graft.training.tails import tune

    seed_everything(parameters.seed)
    before = backbone.get_weights()
    cut = cut_classifier(backbone, head, parameters.unfreeze)
    refuse_nothing_to_tune(cut)
    train, stop = inputs.make_train(fold.train, class_count), inputs.make_stop(fold.stop)
    quiet = parameters.model_copy(update={"callbacks": ()})
    tune(cut, train, stop, quiet, parameters.layer_decay)
    model = cut.tail if inputs.is_stored else cut.whole
    probabilities = predict(model, inputs.read_plain, fold.measure)
    backbone.set_weights(before)
    return probabilities


def refuse_nothing_to_tune(cut: Any) -> None:
    """Refuse a classifier of which no block is to be trained."""
    if not cut.unfrozen:
        raise GraftError(
            "cross_validation.fine_tuning needs blocks to train, and the head alone is what "
            "fine-tuning was told or found to be best; give fine_tuning.recipe=last_block or "
            "another, or set cross_validation.fine_tuning to false; got fine_tuning.unfreeze 'none'"
        )


def predict(model: KerasModel, read: Any, rows: np.ndarray) -> np.ndarray:
    """Probabilities (n, C), float32, of the inputs that ``read`` gives for rows."""
    from graft.models.inference import predict_rows

    return predict_rows(model, read, rows, _BATCH)
