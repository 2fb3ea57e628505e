"""Catalog type for a folder of files that only some other program reads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from graft.datasets.atomic import LocalDataset


@dataclass(frozen=True)
class FileTree:
    """The files below a folder.

    Attributes:
        folder: Where they lie.
    """

    folder: Path

    def read(self) -> dict[str, bytes]:
        """Content of every file by its name below the folder, with ``/``, in order."""
        files = sorted(file for file in self.folder.rglob("*") if file.is_file())
        return {file.relative_to(self.folder).as_posix(): file.read_bytes() for file in files}


class FileTreeDataset(LocalDataset[Mapping[str, bytes], FileTree]):
    """A folder of files, saved from their contents by name; it loads as a :class:`FileTree`."""

    def load(self) -> FileTree:
        return FileTree(self._filepath)

    def save(self, data: Mapping[str, bytes]) -> None:
        for name, content in data.items():
            file = self._filepath / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)
