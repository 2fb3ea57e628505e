"""Training the tail of a classifier, kept only if dev says that it became better."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pandas as pd

from graft.analysis.choosing import rank
from graft.analysis.predictions import measure_losses
from graft.backends.backend import load_backend
from graft.models.freezing import CutClassifier, join_for_training
from graft.models.inference import compile_forward
from graft.parameters.training import TrainingParameters
from graft.training.backup import TrainingBackup
from graft.training.fitting import fit
from graft.training.optimizers import decay_by_block
from graft.training.shuffling import BatchSource
from graft.training.watching import BrokenLossError

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
        or with ``settings.keep`` the accuracy is not higher (ties by log loss), the weights are
        what they were before.

    Raises:
        GraftError: If the loss becomes infinite or not a number.
    """
    model = find_trained(cut, train)
    seed_random_layers(cut.tail, settings.seed)
    weights = [np.array(variable) for variable in model.trainable_variables]
    before, accuracy_before = _measure(model, dev, settings)
    history = train_tail(cut, train, dev, settings, layer_decay, backup, logs)
    after, accuracy_after = _measure(model, dev, settings)
    if rank(accuracy_after, after) >= rank(accuracy_before, before):
        for variable, value in zip(model.trainable_variables, weights, strict=True):
            variable.assign(value)
    return history, before, after


def _measure(
    model: keras.Model, dev: BatchSource, settings: TrainingParameters
) -> tuple[float, float]:
    """Log loss and, if it decides, accuracy; else 0."""
    if settings.keep == "log_loss":
        return measure_log_loss(model, dev), 0.0
    labels, probabilities = predict_source(model, dev)
    losses = measure_losses(labels, probabilities.astype(np.float64))
    return float(losses.mean()), float((probabilities.argmax(axis=1) == labels).mean())


def find_trained(cut: CutClassifier, source: BatchSource) -> keras.Model:
    """The part of a classifier that takes these rows: the whole for pictures, else the tail."""
    return join_for_training(cut) if source.input_dtype == "uint8" else cut.tail


def train_tail(
    cut: CutClassifier,
    train: BatchSource,
    dev: BatchSource,
    settings: TrainingParameters,
    layer_decay: float,
    backup: TrainingBackup | None = None,
    logs: Path | None = None,
    until: int | None = None,
) -> pd.DataFrame:
    """Train the unfrozen blocks and the head in place, as :func:`tune` but with no way back.

    Args:
        cut: As of :func:`tune`, and so are all but the last.
        train: Of the split.
        dev: Of the split.
        settings: How to train.
        layer_decay: Factor of the learning rate of a block against the block after it.
        backup: Folder of snapshots.
        logs: Folder for what callbacks write.
        until: Pause after this epoch, as of :func:`graft.training.fitting.fit`.

    Returns:
        The history; the weights are those of the best epoch so far.
    """
    model = find_trained(cut, train)
    seed_random_layers(cut.tail, settings.seed)
    trained = load_backend().copy_to_devices(model)
    history = fit(
        trained,
        train,
        dev,
        settings,
        backup=backup,
        logs=logs,
        rate_factors=find_factors(cut, model, layer_decay),
        until=until,
    )
    if trained is not model:
        model.set_weights(trained.get_weights())
    return history


def find_factors(cut: CutClassifier, model: keras.Model, layer_decay: float) -> dict[str, float]:
    """Factors of the learning rates of the unfrozen blocks' layers."""
    blocks = [_list_layers(model, block.layers) for block in cut.unfrozen]
    return decay_by_block(blocks, layer_decay)


def predict_source(
    model: keras.Model, source: BatchSource, batch_size: int = 32
) -> tuple[np.ndarray, np.ndarray]:
    """Class indices, int64 (n,), and probabilities, float32 (n, C), of all rows in their order.

    Raises:
        BrokenLossError: If a probability is not a number: weights can be so large that their
            product is infinite though no loss in training was.
    """
    forward = compile_forward(model, batch_size)
    dtype = model.inputs[0].dtype
    labels, probabilities = [], []
    for inputs, given, _ in source.draw():
        labels.append(given)
        for start in range(0, len(inputs), batch_size):
            probabilities.append(forward(inputs[start : start + batch_size].astype(dtype)))
    found = np.concatenate(probabilities)
    if broken := int((~np.isfinite(found)).any(axis=1).sum()):
        raise BrokenLossError(
            f"the loss is no longer a number on {broken} of {len(found)} pictures; lower the "
            f"learning rate, or set clip_norm; got weights up to {_find_largest(model):.3g}"
        )
    return np.concatenate(labels), found


def make_empty_history() -> pd.DataFrame:
    """The history of a training that did not take place."""
    return pd.DataFrame({name: pd.Series(dtype="float64") for name in _COLUMNS})


def measure_log_loss(model: keras.Model, source: BatchSource, batch_size: int = 32) -> float:
    """Log loss of a model on the inputs of a source, :mod:`graft.analysis.predictions`, in nats."""
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


def _find_largest(model: keras.Model) -> float:
    return max(float(np.abs(np.array(weight)).max()) for weight in model.trainable_variables)


def _list_layers(model: keras.Model, names: tuple[str, ...]) -> list[str]:
    """Those of the names that are layers of this model and have weights to train."""
    known = {layer.name for layer in model.layers if layer.trainable_variables}
    return [name for name in names if name in known]
