"""Catalog types for the folders that a training writes to while it goes on."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any, NoReturn

from kedro.io import DatasetError

from graft.datasets.atomic import LocalDataset, WorkSaver
from graft.errors import GraftError
from graft.training.backup import TrainingBackup


class TrainingBackupDataset(LocalDataset[NoReturn, TrainingBackup], WorkSaver):
    """A folder in which a training that was killed finds its last state.

    It is an input of the stage that trains: what is loaded is a handle, there from the start
    and never saved by Kedro. Its content makes no difference to the outputs, only to the time
    until they are there.

    Args:
        filepath: The folder.
        seconds: At most one backup is written in so many seconds.
        metadata: Ignored by Kedro; kedro-viz reads it.
    """

    def __init__(
        self, *, filepath: str, seconds: float = 2.0, metadata: dict[str, Any] | None = None
    ) -> None:
        super().__init__(filepath=filepath, metadata=metadata)
        self._seconds = seconds
        self._is_forgotten = False

    def forget(self) -> None:
        """Find nothing from now on: everything is to be made again."""
        self._is_forgotten = True

    def load(self) -> TrainingBackup:
        return TrainingBackup(self._filepath, self._seconds, self._is_forgotten)

    def save(self, data: NoReturn) -> None:
        raise DatasetError(f"'{self._filepath}' is written by the training itself")

    def _exists(self) -> bool:
        return True


class LogFolderDataset(LocalDataset[NoReturn, Path]):
    """A folder for the logs and checkpoints of a training, made and tried when it is loaded.

    Args:
        filepath: The folder.
        metadata: Ignored by Kedro; kedro-viz reads it.
    """

    def load(self) -> Path:
        try:
            self._filepath.mkdir(parents=True, exist_ok=True)
            tempfile.TemporaryFile(dir=self._filepath).close()
        except OSError as error:
            raise GraftError(
                f"the training cannot write its logs ({error.strerror}); make the folder "
                f"writable or remove what is in its place; got '{self._filepath}'"
            ) from error
        return self._filepath

    def save(self, data: NoReturn) -> None:
        raise DatasetError(f"'{self._filepath}' is written by the training itself")

    def _exists(self) -> bool:
        return True
