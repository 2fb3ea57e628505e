"""Catalog type for the folder in which converted networks are kept."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NoReturn

from kedro.io import DatasetError

from graft.datasets.atomic import LocalDataset, WorkSaver
from graft.models.kept_exports import KeptExports


class ForwardExportsDataset(LocalDataset[NoReturn, KeptExports], WorkSaver):
    """A folder of networks that were converted for ONNX Runtime, so that each is only once.

    It is an input of whatever passes pictures through a network: what is loaded is a handle, there
    from the start. Its content makes no difference to the outputs.

    Args:
        filepath: The folder.
        metadata: Ignored by Kedro; kedro-viz reads it.
    """

    def __init__(self, *, filepath: str, metadata: dict[str, Any] | None = None) -> None:
        super().__init__(filepath=filepath, metadata=metadata)
        self._is_forgotten = False

    def forget(self) -> None:
        """Find nothing from now on: everything is to be made again."""
        self._is_forgotten = True

    def load(self) -> KeptExports:
        return KeptExports(Path(self._filepath), self._is_forgotten)

    def save(self, data: NoReturn) -> None:
        raise DatasetError(f"'{self._filepath}' is written by the stages that convert networks")

    def _exists(self) -> bool:
        return True
