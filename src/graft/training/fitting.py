"""The training loop of all stages: heads on features, tails on activations, whole networks."""

from __future__ import annotations

import math
from collections.abc import Mapping
from contextlib import nullcontext, suppress
from functools import partial
from pathlib import Path

import keras
import numpy as np
import pandas as pd

from graft.backends.backend import Epochs, load_backend
from graft.errors import GraftError
from graft.fingerprints import fingerprint_code
from graft.parameters.training import TrainingParameters
from graft.progress import tell
from graft.training.backup import Snapshot, TrainingBackup
from graft.training.callbacks import make_callbacks
from graft.training.devices import open_for_training
from graft.training.losses import make_accuracy, make_loss
from graft.training.optimizers import (
    Rate,
    make_learning_rate,
    make_optimizer,
    make_schedule_callbacks,
    penalise_kernels,
)
from graft.training.shuffling import BatchSource, count_shares
from graft.training.state import fingerprint_training, restore_variables
from graft.training.watching import LossGuard, MostAccurate, PlainLogLoss, Recorder

_DEV_ROWS, _DEV_BYTES = 1024, 8 << 20


def fit(
    model: keras.Model,
    train: BatchSource,
    dev: BatchSource,
    settings: TrainingParameters,
    *,
    backup: TrainingBackup | None = None,
    logs: Path | None = None,
    rate_factors: Mapping[str, float] | None = None,
    until: int | None = None,
) -> pd.DataFrame:
    """Train until dev stops getting better; the weights of the best epoch stay.

    Seed the process first (:func:`graft.training.devices.seed_everything`). With a backup, a
    training that was killed goes on from its last saved epoch and ends with the same bits as
    an undisturbed one; a training that had ended is not done again.

    Args:
        model: Functional or Sequential model from inputs to probabilities (N, C), not compiled;
            its trainable variables are trained in place.
        train: Rows to learn from.
        dev: Rows to stop early on.
        settings: How to train.
        backup: Folder of snapshots; None trains without.
        logs: Folder for what callbacks write; only callbacks of ``settings`` need it.
        rate_factors: Factor of the learning rate of layers, by their names; others have 1.
        until: Pause after this epoch. The next call with the same backup, and the model as it
            was at first, goes on as if there had been no pause; neither is told.

    Returns:
        A row an epoch: ``epoch`` (from 1), ``loss``, ``accuracy``, ``dev_loss``,
        ``dev_accuracy``, ``learning_rate`` (of the last step). With ``label_smoothing`` the losses
        are log losses of the labels as they are, on train and on dev.

    Raises:
        GraftError: If the loss becomes infinite or not a number, another run holds the backup,
            a callback or schedule cannot be made, or the device lacks the precision.
    """
    factors = dict(rate_factors or {})
    with (
        backup.hold() if backup else nullcontext(),
        open_for_training(model, settings.precision, settings.stage) as trained,
    ):
        fingerprint = ""
        snapshot = None
        if backup:
            fingerprint = identify(trained, train, dev, settings, factors)
            snapshot = backup.load_newest(fingerprint)
        if snapshot and snapshot.facts["finished"]:
            if until is None:
                tell("Backup", "this training has ended before; its outcome is taken")
            restore_variables(trained, snapshot.arrays)
            return Recorder([], 0.0, snapshot=snapshot).history
        rate = _compile(trained, train, settings, factors)
        peers = [
            *([PlainLogLoss()] if settings.label_smoothing else []),
            LossGuard(settings, backup),
            *make_schedule_callbacks(settings),
            _keep_best(settings),
            *make_callbacks(settings, logs, model, trained),
        ]
        recorder = Recorder(peers, rate, backup, fingerprint, snapshot)
        last = min(until or settings.epochs, settings.epochs)
        callbacks = [*peers, recorder]
        _run(trained, train, dev, settings, callbacks, snapshot, last, is_told=until is None)
        stopped = trained.stop_training or bool(snapshot and snapshot.facts["stopped"])
        if backup and (stopped or len(recorder.rows) >= settings.epochs):
            backup.finish(recorder.capture_end())
        else:
            recorder.save()
        return recorder.history


def identify(
    model: keras.Model,
    train: BatchSource,
    dev: BatchSource,
    settings: TrainingParameters,
    rate_factors: Mapping[str, float],
) -> str:
    """SHA-256 of all that decides how :func:`fit` would go, from the model as it is now."""
    code = fingerprint_code(fit)
    return fingerprint_training(model, [train, dev], settings, rate_factors.items(), code)


def _compile(
    trained: keras.Model,
    train: BatchSource,
    settings: TrainingParameters,
    rate_factors: Mapping[str, float],
) -> Rate:
    rate = make_learning_rate(settings, math.ceil(train.row_count / settings.batch_size))
    class_count, takes_shares = trained.output_shape[-1], count_shares(train) > 0
    accuracy = (
        make_accuracy(class_count)
        if takes_shares
        else keras.metrics.SparseCategoricalAccuracy(name="accuracy")
    )
    loss = partial(make_loss, settings.loss, class_count, takes_shares=takes_shares)
    with load_backend().open_scope(trained):
        metrics = [accuracy]
        if settings.label_smoothing:
            plain = keras.losses.get(loss(label_smoothing=0))
            metrics.append(keras.metrics.MeanMetricWrapper(plain, name="log_loss"))
        trained.compile(
            optimizer=make_optimizer(trained, settings, rate, rate_factors),
            loss=loss(label_smoothing=settings.label_smoothing),
            weighted_metrics=metrics,
        )
    return rate


def _keep_best(settings: TrainingParameters) -> keras.callbacks.Callback:
    if settings.keep == "accuracy":
        return MostAccurate(settings.patience)
    return keras.callbacks.EarlyStopping(
        monitor="val_loss", patience=settings.patience, restore_best_weights=True
    )


def _run(
    trained: keras.Model,
    train: BatchSource,
    dev: BatchSource,
    settings: TrainingParameters,
    callbacks: list[keras.callbacks.Callback],
    snapshot: Snapshot | None,
    last: int,
    *,
    is_told: bool,
) -> None:
    first = len(snapshot.facts["history"]) if snapshot else 0
    # A training killed between its last epoch and its end has only the end left to do.
    last = first if snapshot and snapshot.facts["stopped"] else max(first, last)
    if snapshot and is_told:
        tell("Backup", "goes on after epoch %d of at most %d", first, settings.epochs)
    epochs = Epochs(
        settings.batch_size, settings.seed, settings.epochs, first, last,
        _count_dev_rows(dev, settings.batch_size),
    )  # fmt: skip
    penalised = penalise_kernels(trained, settings)
    try:
        load_backend().run_epochs(trained, train, dev, epochs, callbacks)
    except BaseException:
        # The cause is told; that the last good state could not be kept as well is not.
        with suppress(GraftError):
            callbacks[-1].save()
        raise
    finally:
        for variable in penalised:
            variable.regularizer = None


def _count_dev_rows(dev: BatchSource, batch_size: int) -> int:
    """Rows measured at a time: many features, few pictures."""
    row_bytes = math.prod(dev.input_shape) * np.dtype(dev.input_dtype).itemsize
    return min(_DEV_ROWS, max(_DEV_BYTES // row_bytes, batch_size))
