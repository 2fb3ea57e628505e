"""Nodes of the fine-tuning stage."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from graft.compute.known_rows import TracedRows
from graft.compute.streams import RowStream, copy_rows
from graft.errors import GraftError
from graft.images.colours import copy_pictures
from graft.parameters.fine_tuning import FineTuningParameters
from graft.pipelines.fine_tuning.telling import tell_blocks, tell_outcome, tell_preview
from graft.reporting.contact_sheets import draw_views
from graft.reporting.style import draw_note
from graft.reporting.training_figures import draw_history
from graft.training.backup import TrainingBackup
from graft.training.boundary import stream_activations
from graft.types import KerasModel

if TYPE_CHECKING:
    from graft.models.freezing import CutBackbone, CutClassifier
    from graft.training.boundary import BoundaryPlan
    from graft.training.views import ViewPools


def is_stored(cut: CutBackbone, parameters: FineTuningParameters) -> bool:
    """Whether the tail is trained on stored activations, and not the whole on pictures."""
    return bool(cut.frozen and cut.unfrozen and parameters.activation_cache)


def make_plan(splits: pd.DataFrame, parameters: FineTuningParameters) -> BoundaryPlan:
    """Which activations are stored; nothing of the test split is."""
    from graft.training.boundary import BoundaryPlan

    train, dev = (np.flatnonzero(splits["split"] == split) for split in ("train", "dev"))
    return BoundaryPlan(train, dev, parameters.views)


def make_pools(
    cut: CutClassifier,
    activations: np.ndarray,
    images: np.ndarray,
    splits: pd.DataFrame,
    class_names: list[str],
    parameters: FineTuningParameters,
) -> tuple[ViewPools, ViewPools]:
    """The batches of train and dev, from stored activations or from pictures.

    Raises:
        GraftError: If the activations were stored with other parameters.
    """
    from graft.models.augmentation import PictureAugmenter, is_active
    from graft.training.losses import read_sample_weights, weigh_pictures
    from graft.training.views import FreshViews, StoredViews, ViewPools, ViewReader

    plan = make_plan(splits, parameters)
    train: ViewReader
    dev: ViewReader
    if is_stored(cut, parameters):
        _check_stored(activations, plan, cut)
        read = partial(copy_rows, activations)
        train = StoredViews(read, 0, len(plan.train), plan.views)
        dev = StoredViews(read, len(plan) - len(plan.dev), len(plan.dev), views=0)
    else:
        augmenter = PictureAugmenter(parameters.augmentation, images.shape[1])
        active = augmenter if is_active(parameters.augmentation) else None
        read = partial(copy_pictures, images)
        train = FreshViews(read, plan.train, active)
        dev = FreshViews(read, plan.dev, None)
    labels = splits["label_index"].to_numpy(np.int64)
    weights = weigh_pictures(labels[plan.train], len(class_names), parameters.class_weights)
    if parameters.sample_weights is not None:
        weights = weights * read_sample_weights(
            splits.iloc[plan.train], parameters.sample_weights, parameters.stage
        )
    return (
        ViewPools(train, labels[plan.train], weights),
        ViewPools(dev, labels[plan.dev], np.ones(len(plan.dev), np.float32)),
    )


def _check_stored(activations: np.ndarray, plan: BoundaryPlan, cut: CutClassifier) -> None:
    expected = (len(plan), *cut.tail.input_shape[1:])
    if activations.shape != expected:
        raise GraftError(
            "the stored activations are of other parameters (unfreeze, views, image_size, "
            f"splits) than now; run --pipelines=fine_tuning as a whole; they should be {expected}; "
            f"got {activations.shape}"
        )


_SHEET_PICTURES, _SHEET_VIEWS = 6, 5


def store_boundary_activations(
    backbone: KerasModel,
    images: np.ndarray,
    image_origins: pd.DataFrame,
    splits: pd.DataFrame,
    previous_boundary_activations: TracedRows | None,
    parameters: FineTuningParameters,
) -> RowStream | np.ndarray:
    """Compute once what the frozen blocks give for every picture of train and dev.

    A picture is known by what its pixels were made of: what the last run made of the same
    pixels with the same blocks is taken over.

    Returns:
        ``boundary_activations`` (R, …): for each picture of train the picture itself and its
        augmented views, then the pictures of dev, in the order of ``splits``; as a stream that
        holds a batch at a time. Without rows if there is nothing to store.

    Raises:
        GraftError: If there is no such block; while the stream is stored, if an activation is
            too large for its type.
    """
    from graft.models.freezing import cut_backbone
    from graft.training.devices import seed_everything, tell_devices

    tell_devices()
    seed_everything(parameters.seed)
    cut = cut_backbone(backbone, parameters.unfreeze)
    tell_blocks(cut, is_stored(cut, parameters))
    if cut.trunk is None or not is_stored(cut, parameters):
        return np.zeros((0, 1), parameters.activation_dtype)
    plan = make_plan(splits, parameters)
    previous = previous_boundary_activations
    return stream_activations(
        cut.trunk, plan, images, image_origins, splits, previous, parameters, tell_preview
    )


def fine_tune(
    backbone: KerasModel,
    head: KerasModel,
    boundary_activations: np.ndarray,
    images: np.ndarray,
    splits: pd.DataFrame,
    class_names: list[str],
    backup: TrainingBackup,
    logs: Path,
    parameters: FineTuningParameters,
) -> tuple[KerasModel, pd.DataFrame]:
    """Train the unfrozen blocks and the head further, and stop by the loss on dev.

    The head starts as it was trained on the frozen backbone (LP-FT, Kumar et al. 2022). If the
    loss on dev ends no lower than it was before, the weights go back to what they were.

    Returns:
        ``fine_tuned_classifier``: from pictures (N, H, W, 3) uint8 to probabilities (N, C).
        ``fine_tuning_history``: a row an epoch; no row if nothing was to be trained.

    Raises:
        GraftError: If there is no such block, or the loss is no longer a number.
    """
    from graft.models.freezing import cut_classifier
    from graft.training import tails as fine_tuning
    from graft.training.devices import seed_everything, tell_devices

    tell_devices()
    seed_everything(parameters.seed)
    cut = cut_classifier(backbone, head, parameters.unfreeze)
    if not cut.unfrozen:
        return cut.whole, fine_tuning.make_empty_history()
    train, dev = make_pools(cut, boundary_activations, images, splits, class_names, parameters)
    history, before, after = fine_tuning.tune(
        cut, train, dev, parameters, parameters.layer_decay, backup, logs
    )
    tell_outcome(history, before, after)
    return cut.whole, history


def draw_augmented_pictures(
    images: np.ndarray, splits: pd.DataFrame, parameters: FineTuningParameters
) -> Figure:
    """Draw a few pictures of train beside some of their augmented views.

    Returns:
        ``augmented_pictures``: a row a picture, the picture itself first.
    """
    from graft.models.augmentation import PictureAugmenter, is_active

    train = np.flatnonzero(splits["split"] == "train")
    chosen = train[np.linspace(0, len(train) - 1, min(_SHEET_PICTURES, len(train))).astype(int)]
    names = splits["image_id"].iloc[chosen].tolist()
    pixels = copy_pictures(images, chosen)
    augmenter = PictureAugmenter(parameters.augmentation, images.shape[1])
    numbers = range(1, 1 + _SHEET_VIEWS) if is_active(parameters.augmentation) else ()
    views = [
        augmenter.make_views(pixels, [number] * len(names), parameters.seed) for number in numbers
    ]
    return draw_views(np.stack([pixels, *views], axis=1), names)


def draw_fine_tuning_curves(fine_tuning_history: pd.DataFrame) -> Figure:
    """Draw loss and accuracy on train and dev of the fine-tuning, by epoch."""
    if fine_tuning_history.empty:
        return draw_note("Nothing was fine-tuned (unfreeze: none).")
    return draw_history(fine_tuning_history, "Fine-tuning")
