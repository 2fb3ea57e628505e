"""Catalog types for small files of the user, which are read and never written."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NoReturn

import pandas as pd
from kedro.io import AbstractDataset, DatasetError

from graft.images.label_verdicts import read_label_verdicts


class UserFileDataset(AbstractDataset[Any, Any]):
    """Base of entries whose content is a file that the user brings and may change at any time.

    Args:
        filepath: The file or folder.
        metadata: Ignored by Kedro; kedro-viz reads it.
    """

    def __init__(self, *, filepath: str, metadata: dict[str, Any] | None = None) -> None:
        self._filepath = filepath
        self.metadata = metadata

    def list_files(self) -> list[Path]:
        """The files that are there now: outputs made from others are stale."""
        path = Path(self._filepath).expanduser()
        if path.is_dir():
            return sorted(file for file in path.rglob("*") if file.is_file())
        return [path] if path.is_file() else []

    def save(self, data: Any) -> NoReturn:
        raise DatasetError(f"{self} is the user's own: it is read, never written")

    def _exists(self) -> bool:
        return bool(self.list_files())

    def _describe(self) -> dict[str, Any]:
        return {"filepath": self._filepath}


class LabelVerdictsDataset(UserFileDataset):
    """A filled copy of ``label_doubts.csv``; loads as None while there is none.

    The table is described at :func:`graft.images.label_verdicts.read_label_verdicts`.
    """

    def load(self) -> pd.DataFrame | None:
        found = self.list_files()
        return read_label_verdicts(found[0]) if found else None
