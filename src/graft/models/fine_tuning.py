"""Training the tail of a classifier, kept only if dev says that it became better."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pandas as pd

from graft.models.batches import BatchSource
from graft.models.devices import choose_strategy, copy_to_devices
from graft.models.fitting import fit
from graft.models.freezing import CutClassifier, join_for_training
from graft.models.inference import compile_forward
from graft.models.optimizers import decay_by_block
from graft.scores.log_loss import measure_losses
from graft.training_backup import TrainingBackup
from graft.training_parameters import TrainingParameters

_COLUMNS = ("epoch", "loss", "accuracy", "dev_loss", "dev_accuracy", "learning_rate")


def tune(
    cut: CutClassifier,
    train: BatchSource,
    dev: BatchSource,
    settings: TrainingParameters,
    layer_decay: float,
    backup: TrainingBackup | None = None,
    logs: Path | None = None,
) -> tuple[pd.DataFrame, float, float]:
    """Train the unfrozen blocks and the head in place, on activations or on pictures.

    Args:
        cut: The classifier; its tail is trained.
        train: Activations at the boundary, or pictures: by ``input_dtype``.
        dev: The same of dev.
        settings: How to train.
        layer_decay: Factor of the learning rate of a block against the block after it.
        backup: Folder of snapshots.
        logs: Folder for what callbacks write.

    Returns:
        The history; the log loss on dev before and after. If the latter is not the lower one,
        the weights are what they were before.

    Raises:
        GraftError: If the loss becomes infinite or not a number.
    """
    model = join_for_training(cut) if train.input_dtype == "uint8" else cut.tail
    seed_random_layers(cut.tail, settings.seed)
    weights = [np.array(variable) for variable in model.trainable_variables]
    before = measure_log_loss(model, dev)
    strategy = choose_strategy()
    trained = copy_to_devices(model, strategy) if strategy else model
    factors = decay_by_block(
        [_list_layers(model, block.layers) for block in cut.unfrozen], layer_decay
    )
    history = fit(trained, train, dev, settings, backup=backup, logs=logs, rate_factors=factors)
    if strategy:
        model.set_weights(trained.get_weights())
    after = measure_log_loss(model, dev)
    if after >= before:
        for variable, value in zip(model.trainable_variables, weights, strict=True):
            variable.assign(value)
    return history, before, after


def make_empty_history() -> pd.DataFrame:
    """The history of a training that did not take place."""
    return pd.DataFrame({name: pd.Series(dtype="float64") for name in _COLUMNS})


def measure_log_loss(model: keras.Model, source: BatchSource, batch_size: int = 32) -> float:
    """Log loss of a model on the inputs of a source, :mod:`graft.scores.log_loss`, in nats."""
    forward = compile_forward(model, batch_size)
    dtype = model.inputs[0].dtype
    total = 0.0
    for inputs, labels, _ in source.draw():
        for start in range(0, len(inputs), batch_size):
            rows = slice(start, start + batch_size)
            losses = measure_losses(labels[rows], forward(inputs[rows].astype(dtype)))
            total += float(losses.sum())
    return total / source.row_count


def seed_random_layers(model: keras.Model, seed: int) -> None:
    """Give dropout layers a state of their own; a loaded model has drawn theirs at random."""
    for number, layer in enumerate(model._flatten_layers()):
        generator = getattr(layer, "seed_generator", None)
        if generator is not None:
            generator.state.assign([seed, number])


def _list_layers(model: keras.Model, names: tuple[str, ...]) -> list[str]:
    """Those of the names that are layers of this model and have weights to train."""
    known = {layer.name for layer in model.layers if layer.trainable_variables}
    return [name for name in names if name in known]
