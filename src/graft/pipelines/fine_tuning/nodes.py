"""Nodes of the fine-tuning stage."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from graft.boundary_rows import stream_activations
from graft.figures.augmentation import draw_views
from graft.figures.learning_curves import draw_history
from graft.figures.style import draw_note
from graft.fine_tuning_parameters import FineTuningParameters
from graft.images.blocks import RowStream
from graft.images.colours import copy_pictures
from graft.images.origins import TracedRows
from graft.pipelines.fine_tuning.inputs import is_stored, make_plan, make_pools
from graft.pipelines.fine_tuning.telling import tell_blocks, tell_outcome, tell_preview
from graft.training_backup import TrainingBackup
from graft.types import KerasModel

_SHEET_PICTURES, _SHEET_VIEWS = 6, 5


def store_boundary_activations(
    backbone: KerasModel,
    images: np.ndarray,
    image_origins: pd.DataFrame,
    splits: pd.DataFrame,
    former_boundary_activations: TracedRows | None,
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
    from graft.models.devices import tell_devices
    from graft.models.freezing import cut_backbone
    from graft.models.runtime import seed_everything

    tell_devices()
    seed_everything(parameters.seed)
    cut = cut_backbone(backbone, parameters.unfreeze)
    tell_blocks(cut, is_stored(cut, parameters))
    if cut.trunk is None or not is_stored(cut, parameters):
        return np.zeros((0, 1), parameters.activation_dtype)
    plan = make_plan(splits, parameters)
    former = former_boundary_activations
    return stream_activations(
        cut.trunk, plan, images, image_origins, splits, former, parameters, tell_preview
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
    from graft.models import fine_tuning
    from graft.models.devices import tell_devices
    from graft.models.freezing import cut_classifier
    from graft.models.runtime import seed_everything

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
