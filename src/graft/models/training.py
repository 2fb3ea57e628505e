"""The training loop of heads on stored features."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pandas as pd

from graft.errors import GraftError
from graft.models.feature_batches import FeaturePools, batch_in_order, shuffle_batches

_DEV_BATCH = 1024
CLASS_WEIGHTS: dict[str, Callable[[np.ndarray], np.ndarray]] = {}


def _class_weight(name: str) -> Callable[..., Any]:
    def register(policy: Callable[[np.ndarray], np.ndarray]) -> Callable[..., Any]:
        CLASS_WEIGHTS[name] = policy
        return policy

    return register


@_class_weight("none")
def weigh_equally(counts: np.ndarray) -> np.ndarray:
    """Every picture counts the same."""
    return np.ones(len(counts))


@_class_weight("balanced")
def weigh_inversely(counts: np.ndarray) -> np.ndarray:
    """Every class counts the same: weight ∝ 1/n, as scikit-learn's ``"balanced"``."""
    return counts.sum() / (len(counts) * counts)


@_class_weight("sqrt")
def weigh_by_square_root(counts: np.ndarray) -> np.ndarray:
    """Half way between: weight ∝ n^-0.5, with a mean of 1 over the pictures."""
    weights = counts**-0.5
    return weights * counts.sum() / (weights * counts).sum()


def weigh_pictures(labels: np.ndarray, class_count: int, policy: str) -> np.ndarray:
    """Weight of every training picture, float32 (n,), by the size of its class.

    Args:
        labels: Class index of every picture, int (n,).
        class_count: Number of classes; each has at least one picture.
        policy: ``"none"``, ``"balanced"`` or ``"sqrt"``.
    """
    counts = np.bincount(labels, minlength=class_count).astype(np.float64)
    return CLASS_WEIGHTS[policy](counts)[labels].astype(np.float32)


def train_head(
    head: keras.Model,
    train: FeaturePools,
    dev: FeaturePools,
    learning_rate: float,
    batch_size: int,
    epochs: int,
    patience: int,
    seed: int,
) -> pd.DataFrame:
    """Train until the loss on dev stops falling; the weights of the best epoch stay.

    Args:
        head: Model from features to probabilities; trained in place.
        train: Rows to learn from.
        dev: Rows to stop early on.
        learning_rate: Of Adam.
        batch_size: Rows a step.
        epochs: At most so many.
        patience: Stop after so many epochs without a lower loss on dev.
        seed: Seed of the order of the batches.

    Returns:
        A row an epoch: ``epoch`` (from 1), ``loss``, ``accuracy``, ``dev_loss``,
        ``dev_accuracy``.

    Raises:
        GraftError: If the loss becomes infinite or not a number.
    """
    head.compile(
        optimizer=keras.optimizers.Adam(learning_rate),
        loss="sparse_categorical_crossentropy",
        weighted_metrics=[keras.metrics.SparseCategoricalAccuracy(name="accuracy")],
    )
    stopping = keras.callbacks.EarlyStopping(
        monitor="val_loss", patience=patience, restore_best_weights=True
    )
    record = head.fit(
        shuffle_batches(train, batch_size, epochs, seed),
        validation_data=batch_in_order(dev, _DEV_BATCH, epochs),
        validation_steps=math.ceil(dev.row_count / _DEV_BATCH),
        epochs=epochs,
        steps_per_epoch=math.ceil(train.row_count / batch_size),
        callbacks=[stopping, keras.callbacks.TerminateOnNaN()],
        shuffle=False,
        verbose=0,
    )
    history = pd.DataFrame(record.history).rename(columns=lambda name: name.replace("val_", "dev_"))
    if not np.isfinite(history[["loss", "dev_loss"]].to_numpy()).all():
        raise GraftError(
            f"the loss is no longer a number in epoch {len(history)}; lower "
            f"head_training.learning_rate; got {learning_rate}"
        )
    history.insert(0, "epoch", np.arange(1, len(history) + 1))
    return history[["epoch", "loss", "accuracy", "dev_loss", "dev_accuracy"]]
