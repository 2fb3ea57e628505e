"""Catalog types for ``raw_images``: the type says how the pictures are laid out and labelled."""

from __future__ import annotations

import os
from abc import abstractmethod
from pathlib import Path
from typing import Any, NoReturn

from kedro.io import AbstractDataset, DatasetError

from graft.images.layouts import (
    read_class_folders,
    read_labelled_file_names,
    read_track_folders,
)
from graft.images.sources import ImageSource


class ImageSourceDataset(AbstractDataset[Any, ImageSource]):
    """Base of the image sources: read-only, for the user's pictures are never written to.

    Args:
        filepath: Where the pictures, or a file that names them, are.
        metadata: Ignored by Kedro; kedro-viz reads it.
    """

    def __init__(self, *, filepath: str, metadata: dict[str, Any] | None = None) -> None:
        self._filepath = filepath
        self.metadata = metadata

    @abstractmethod
    def load(self) -> ImageSource:
        """List the pictures; none is read yet."""

    def list_places(self) -> list[Path]:
        """Files and folders that the pictures and their labels are read from."""
        return [Path(self._filepath).expanduser()]

    def save(self, data: Any) -> NoReturn:
        raise DatasetError(f"{self} is the user's own: it is read, never written")

    def _exists(self) -> bool:
        return os.path.exists(os.path.expanduser(self._filepath))

    def _describe(self) -> dict[str, Any]:
        return {"filepath": self._filepath}


class ClassFoldersDataset(ImageSourceDataset):
    """A folder a class, in a folder or in a ``.zip`` or ``.tar.gz`` archive."""

    def load(self) -> ImageSource:
        return read_class_folders(self._filepath)


class TrackFoldersDataset(ImageSourceDataset):
    """Class folders of tracks: ``00025/00038_00005.ppm``.

    Args:
        filepath: The folder or archive of class folders.
        pattern: Regular expression for a whole file name with the named group ``group``, the
            track; unless given, what stands before the last ``_``.
        metadata: Ignored by Kedro; kedro-viz reads it.
    """

    def __init__(
        self,
        *,
        filepath: str,
        pattern: str | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(filepath=filepath, metadata=metadata)
        self._options = {} if pattern is None else {"pattern": pattern}

    def load(self) -> ImageSource:
        return read_track_folders(self._filepath, **self._options)


class LabelledFileNamesDataset(ImageSourceDataset):
    """Labels in file names, in a folder or in an archive.

    Args:
        filepath: The folder or archive.
        pattern: Regular expression for a whole file name with the named group ``label`` and,
            optionally, ``group`` and ``source``.
        metadata: Ignored by Kedro; kedro-viz reads it.
    """

    def __init__(
        self, *, filepath: str, pattern: str, metadata: dict[str, Any] | None = None
    ) -> None:
        super().__init__(filepath=filepath, metadata=metadata)
        self._pattern = pattern

    def load(self) -> ImageSource:
        return read_labelled_file_names(self._filepath, self._pattern)
