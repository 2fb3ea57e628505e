"""Nodes of the training stage."""

from __future__ import annotations

import logging
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from graft.figures.learning_curves import draw_history
from graft.figures.style import draw_note
from graft.images.blocks import copy_rows
from graft.images.colours import copy_pictures
from graft.pipelines.training.parameters import ScratchTrainingParameters
from graft.training_backup import TrainingBackup
from graft.types import KerasModel

NO_NETWORK, _BATCH = "none", 64
logger = logging.getLogger(__name__)


def train_network(
    images: np.ndarray,
    splits: pd.DataFrame,
    class_names: list[str],
    backup: TrainingBackup,
    logs: Path,
    parameters: ScratchTrainingParameters,
) -> tuple[KerasModel, pd.DataFrame]:
    """Train a network from scratch on train, and stop by the loss on dev.

    Returns:
        ``trained_classifier``: from pictures (N, H, W, channels) uint8 to probabilities (N, C);
        without a network, a classifier that finds all classes equally likely.
        ``training_history``: a row an epoch; no row without a network.

    Raises:
        GraftError: If there is no such network, the loss does not fit the classes or is no
            longer a number, or another run trains the same network.
    """
    from graft.models import networks
    from graft.models.fine_tuning import make_empty_history
    from graft.models.fitting import fit
    from graft.models.losses import check_outputs
    from graft.models.picture_rows import pool_rows
    from graft.models.runtime import seed_everything

    class_count = len(class_names)
    seed_everything(parameters.seed)
    if parameters.network == NO_NETWORK:
        return networks.build_undecided(images.shape[1:], class_count), make_empty_history()
    check_outputs(parameters.loss, class_count, class_count, parameters.stage)
    chosen = parameters.model_dump(include={"activation", "initializer", "l1", "l2", "seed"})
    classifier = networks.build_classifier(
        parameters.network, images.shape[1:], networks.NetworkSettings(class_count, **chosen)
    )
    train, dev = pool_rows(partial(copy_rows, images), splits, class_count, parameters)
    history = fit(classifier, train, dev, parameters, backup=backup, logs=logs)
    _log_outcome(parameters.network, classifier, history)
    if parameters.uses_tensorboard:
        _show_dev(classifier, images, splits, class_names, logs)
    return classifier, history


def draw_training_curves(training_history: pd.DataFrame) -> Figure:
    """Draw loss and accuracy on train and dev of the training from scratch, by epoch."""
    if training_history.empty:
        return draw_note("No network was trained from scratch (training.network: none).")
    return draw_history(training_history, "Training from scratch")


def _show_dev(
    classifier: KerasModel,
    images: np.ndarray,
    splits: pd.DataFrame,
    class_names: list[str],
    logs: Path,
) -> None:
    from graft.models.picture_rows import classify_batches
    from graft.models.tensorboard import show_dev

    rows = np.flatnonzero(splits["split"] == "dev")
    batches = classify_batches(classifier, partial(copy_rows, images), rows, _BATCH)
    show_dev(
        logs,
        splits.iloc[rows].reset_index(drop=True),
        np.concatenate(list(batches)),
        class_names,
        lambda chosen: copy_pictures(images, rows[chosen]),
    )


def _log_outcome(network: str, classifier: KerasModel, history: pd.DataFrame) -> None:
    best = history.loc[history["dev_loss"].idxmin()]
    logger.info(
        "From scratch %s (%s parameters), %d epochs; best on dev is epoch %d: loss %.3f, "
        "accuracy %.3f",
        network,
        f"{classifier.count_params():,}",
        len(history),
        int(best["epoch"]),
        best["dev_loss"],
        best["dev_accuracy"],
    )
