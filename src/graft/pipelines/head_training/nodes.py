"""Nodes of the head training stage."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from graft.analysis.choosing import read_kept
from graft.datasets.features import FeatureTable
from graft.errors import GraftError
from graft.images.colours import copy_pictures
from graft.parameters.training import HeadTrainingParameters
from graft.progress import tell
from graft.training.backup import TrainingBackup
from graft.types import KerasModel


def train_head(
    features: FeatureTable,
    images: np.ndarray,
    splits: pd.DataFrame,
    class_names: list[str],
    backup: TrainingBackup,
    logs: Path,
    parameters: HeadTrainingParameters,
    starting_point: dict[str, Any] | None = None,
    starting_weights: Mapping[str, np.ndarray] | None = None,
) -> tuple[KerasModel, pd.DataFrame]:
    """Train a head on the features of train, and stop by the loss on dev.

    In a warm start the champion's head is trained on, and stays what it is unless dev prefers the
    new weights.

    The pictures are only looked at for TensorBoard, if a callback writes for it.

    Returns:
        ``head``: model from features (N, D) to probabilities (N, C), with the weights of its
        best epoch. ``frozen.history``: a row an epoch; in a warm start also epoch 0, of the
        weights it began with, and ``kept``, which weights stay.

    Raises:
        GraftError: If the loss does not fit the classes or is no longer a number, another run
            trains the same head, or the champion's head has other layers.
    """
    from graft.training.fitting import fit
    from graft.training.heads_on_features import prepare_features, prepare_head
    from graft.training.warm_start import train_on

    head = prepare_head(features.dimension, len(class_names), parameters)
    train, dev, pictures = prepare_features(features, splits, len(class_names), parameters)
    if starting_weights:
        _take_over(head, starting_weights)
        own = backup.enter("warm_start")
        train_further = partial(fit, head, train, dev, parameters, backup=own, logs=logs)
        history = train_on(head, dev, parameters.keep, train_further)
    else:
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


def _take_over(head: KerasModel, weights: Mapping[str, np.ndarray]) -> None:
    from graft.models.layer_weights import put_weights

    try:
        put_weights(head, weights)
    except LookupError as error:
        raise GraftError(
            "a warm start goes on with the champion's head, and head_training asks for another; "
            "set hidden_units, outputs and loss back, or leave warm_start out; got another layer "
            f"'{error}'"
        ) from error


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
    best = history.iloc[read_kept(history)]
    if history["epoch"].iloc[0] == 0:
        _tell_warm(history, best)
        return
    tell(
        "Head",
        "%d epochs; best on dev is epoch %d: loss %.3f, accuracy %.3f",
        len(history),
        int(best["epoch"]),
        best["dev_loss"],
        best["dev_accuracy"],
    )


def _tell_warm(history: pd.DataFrame, best: pd.Series[Any]) -> None:
    found = f"{len(history) - 1} epochs on from the champion; best on dev "
    if best["epoch"]:
        found += f"is epoch {best['epoch']:.0f}: log loss {history['dev_loss'].iloc[0]:.4f} → "
        found += f"{best['dev_loss']:.4f}; the new weights stay"
    else:
        found += f"are the champion's own weights, log loss {best['dev_loss']:.4f}: they stay"
    tell("Head", found)
