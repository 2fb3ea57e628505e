"""What watches every training: the guard against a broken loss, and the record of its epochs."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import pandas as pd

from graft.analysis.choosing import rank
from graft.errors import GraftError
from graft.parameters.training import TrainingParameters
from graft.training.backup import Snapshot, TrainingBackup
from graft.training.optimizers import Rate
from graft.training.state import (
    capture_callback,
    capture_variables,
    restore_callback,
    restore_variables,
)

COLUMNS = {
    "loss": "loss",
    "accuracy": "accuracy",
    "val_loss": "dev_loss",
    "val_accuracy": "dev_accuracy",
}


class BrokenLossError(GraftError):
    """A loss is infinite or not a number."""


class PlainLogLoss(keras.callbacks.Callback):
    """Hands the log loss of the labels themselves on to the callbacks after it, as the loss.

    That of smoothed labels is another number, which no other model's can be compared with. The
    model must have a metric ``log_loss``.
    """

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        if logs is not None:
            logs |= {"loss": logs.pop("log_loss"), "val_loss": logs.pop("val_log_loss")}


class LossGuard(keras.callbacks.Callback):
    """Ends the training at the first step whose loss is infinite or not a number.

    Attributes:
        watches_steps: No: a backend may take many steps between two looks.
    """

    watches_steps = False

    def __init__(self, settings: TrainingParameters, backup: TrainingBackup | None) -> None:
        super().__init__()
        self._settings = settings
        self._backup = backup
        self._epoch = 0

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self._epoch = epoch + 1

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        # The mean over the steps of the epoch so far: once broken, it stays broken.
        self._check("loss", (logs or {})["loss"], f"at step {batch + 1} of epoch {self._epoch}")

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self._check("loss on dev", (logs or {})["val_loss"], f"after epoch {epoch + 1}")

    def _check(self, name: str, loss: Any, where: str) -> None:
        if math.isfinite(float(loss)):
            return
        rate = _read_rate(self.model.optimizer.learning_rate)
        kept = (
            f"the weights after epoch {self._epoch - 1} are kept in '{self._backup.folder}'; "
            if self._backup and self._epoch > 1
            else ""
        )
        raise BrokenLossError(
            f"the {name} is no longer a number {where}, at a learning rate of {rate:.3g}; {kept}"
            f"lower {self._settings.stage}.learning_rate, or set clip_norm; got "
            f"{self._settings.learning_rate}"
        )


class MostAccurate(keras.callbacks.Callback):
    """Stops a training that gets no better, and leaves the weights of its best epoch.

    The best has the highest accuracy on dev, ties by log loss; ``keras.callbacks.EarlyStopping``
    knows one measure only. All attributes that are not private belong to the state.

    Args:
        patience: Stop after so many epochs that are no better.
    """

    def __init__(self, patience: int) -> None:
        super().__init__()
        self._patience = patience
        self.best: list[float] = []
        self.best_weights: list[np.ndarray] = []
        self.waited = 0

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        found = list(rank(float((logs or {})["val_accuracy"]), float((logs or {})["val_loss"])))
        self.waited += 1
        if not self.best or found < self.best:
            self.best, self.best_weights, self.waited = found, self.model.get_weights(), 0
        if self.waited >= self._patience:
            self.model.stop_training = True

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        if self.best_weights:
            self.model.set_weights(self.best_weights)


class Recorder(keras.callbacks.Callback):
    """Keeps the history, and the state from which a killed training goes on.

    It must be the last callback: Keras calls them in order, and what others do at the end of an
    epoch belongs to the state, and what they forget at the begin of a training is put back.

    Args:
        peers: The other callbacks.
        rate: The learning rate that the optimizer was made with.
        backup: Where snapshots go; None for nowhere.
        fingerprint: Name of this training.
        snapshot: Where to go on from; None to begin.
    """

    def __init__(
        self,
        peers: Sequence[keras.callbacks.Callback],
        rate: Rate,
        backup: TrainingBackup | None = None,
        fingerprint: str = "",
        snapshot: Snapshot | None = None,
    ) -> None:
        super().__init__()
        self._peers = list(peers)
        self._rate = rate
        self._backup = backup
        self._fingerprint = fingerprint
        self._resumed = snapshot
        self._waiting: Snapshot | None = None
        self._saved_at = time.monotonic()
        self._rate_of_epoch = 0.0
        self.rows: list[dict[str, float]] = list(snapshot.facts["history"]) if snapshot else []

    @property
    def history(self) -> pd.DataFrame:
        """A row an epoch: ``epoch`` (from 1), losses and accuracies, ``learning_rate``."""
        table = pd.DataFrame(self.rows, columns=[*COLUMNS.values(), "learning_rate"])
        table.insert(0, "epoch", range(1, len(table) + 1))
        return table

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        if self._resumed is None:
            return
        restore_variables(self.model, self._resumed.arrays)
        states = self._resumed.facts["callbacks"]
        for number, (peer, plain) in enumerate(zip(self._peers, states, strict=True)):
            restore_callback(peer, number, plain, self._resumed.arrays)
        self._resumed = None

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self._rate_of_epoch = _read_rate(self.model.optimizer.learning_rate)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        values = {name: float((logs or {})[key]) for key, name in COLUMNS.items()}
        self.rows.append({**values, "learning_rate": self._get_last_rate()})
        if self._backup is None:
            return
        self._waiting = self._capture()
        if time.monotonic() - self._saved_at >= self._backup.seconds:
            self.save()

    def save(self) -> None:
        """Write the snapshot of the last finished epoch, unless it is written already."""
        if self._backup is not None and self._waiting is not None:
            self._backup.save(self._waiting)
            self._waiting = None
            self._saved_at = time.monotonic()

    def capture_end(self) -> Snapshot:
        """The snapshot of a training that has ended: history and weights."""
        arrays = capture_variables(self.model)
        weights = {name: value for name, value in arrays.items() if name.startswith("model")}
        return Snapshot(self._fingerprint, {"history": self.rows, "finished": True}, weights)

    def _get_last_rate(self) -> float:
        if not callable(self._rate):
            return self._rate_of_epoch
        last_step = self.model.optimizer.iterations - 1
        return _read_rate(self._rate(last_step))

    def _capture(self) -> Snapshot:
        arrays = capture_variables(self.model)
        states = []
        for number, peer in enumerate(self._peers):
            plain, own = capture_callback(peer, number)
            states.append(plain)
            arrays |= own
        facts = {
            "history": list(self.rows),
            "callbacks": states,
            "stopped": bool(self.model.stop_training),
            "finished": False,
        }
        return Snapshot(self._fingerprint, facts, arrays)


def _read_rate(rate: Any) -> float:
    """A learning rate as it is written: 0.001, not the nearest float32 in all its digits."""
    return float(str(np.float32(keras.ops.convert_to_numpy(rate))))
