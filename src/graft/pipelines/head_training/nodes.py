"""Nodes of the head training stage."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pandas as pd

from graft.datasets.features import FeatureTable
from graft.images.colours import copy_pictures
from graft.parameters.training import HeadTrainingParameters
from graft.training.backup import TrainingBackup
from graft.types import KerasModel

logger = logging.getLogger(__name__)


def train_head(
    features: FeatureTable,
    images: np.ndarray,
    splits: pd.DataFrame,
    class_names: list[str],
    backup: TrainingBackup,
    logs: Path,
    parameters: HeadTrainingParameters,
) -> tuple[KerasModel, pd.DataFrame]:
    """Train a head on the features of train, and stop by the loss on dev.

    The pictures are only looked at for TensorBoard, if a callback writes for it.

    Returns:
        ``head``: model from features (N, D) to probabilities (N, C), with the weights of its
        best epoch. ``frozen.history``: a row an epoch.

    Raises:
        GraftError: If the loss does not fit the classes or is no longer a number, or another
            run trains the same head.
    """
    from graft.training.fitting import fit
    from graft.training.heads_on_features import prepare_features, prepare_head

    head = prepare_head(features.dimension, len(class_names), parameters)
    train, dev, pictures = prepare_features(features, splits, len(class_names), parameters)
    history = fit(head, train, dev, parameters, backup=backup, logs=logs)
    if parameters.uses_tensorboard:
        vectors = np.concatenate([pool[0] for pool in dev.draw()])
        _show_dev(head, vectors, images, pictures, class_names, logs)
    _log_outcome(history)
    return head, history


def join_classifier(backbone: KerasModel, head: KerasModel) -> KerasModel:
    """Join backbone and head into one model.

    Returns:
        ``frozen.classifier``: from pictures (N, H, W, 3) uint8 to probabilities (N, C).
    """
    from graft.models import heads

    return heads.join_classifier(backbone, head)


def _show_dev(
    head: KerasModel,
    vectors: np.ndarray,
    images: np.ndarray,
    dev: pd.DataFrame,
    class_names: list[str],
    logs: Path,
) -> None:
    from graft.training.callbacks import show_dev

    rows = dev["image_row"].to_numpy()
    probabilities = head.predict(vectors, verbose=0)
    show_dev(
        logs,
        dev,
        probabilities,
        class_names,
        lambda chosen: copy_pictures(images, rows[chosen]),
        vectors,
    )


def _log_outcome(history: pd.DataFrame) -> None:
    best = history.loc[history["dev_loss"].idxmin()]
    logger.info(
        "Head         %d epochs; best on dev is epoch %d: loss %.3f, accuracy %.3f",
        len(history),
        int(best["epoch"]),
        best["dev_loss"],
        best["dev_accuracy"],
    )
