"""Catalog types for ``raw_images``: the type says how the pictures are laid out and labelled."""

from __future__ import annotations

from abc import abstractmethod
from pathlib import Path
from typing import Any, NoReturn

from kedro.io import AbstractDataset, DatasetError

from graft.images.sources import (
    ImageSource,
    read_class_folders,
    read_digits,
    read_labelled_file_names,
)


class ImageSourceDataset(AbstractDataset[Any, ImageSource]):
    """Base of the image sources: read-only, for the user's pictures are never written to."""

    def __init__(self, *, filepath: str, metadata: dict[str, Any] | None = None) -> None:
        self._filepath = filepath
        self.metadata = metadata

    @abstractmethod
    def load(self) -> ImageSource:
        """List the pictures; none is read yet."""

    def save(self, data: Any) -> NoReturn:
        raise DatasetError(f"{self} is the user's own: it is read, never written")

    def _exists(self) -> bool:
        return Path(self._filepath).expanduser().exists()

    def _describe(self) -> dict[str, Any]:
        return {"filepath": self._filepath}


class ClassFoldersDataset(ImageSourceDataset):
    """A folder a class, in a folder or in a ``.zip`` or ``.tar.gz`` archive."""

    def load(self) -> ImageSource:
        return read_class_folders(self._filepath)


class LabelledFileNamesDataset(ImageSourceDataset):
    """Labels in file names, in a folder or in an archive.

    Args:
        filepath: The folder or archive.
        pattern: Regular expression for a whole file name with the named group ``label`` and,
            optionally, ``group``.
        metadata: Ignored by Kedro; kedro-viz reads it.
    """

    def __init__(
        self, *, filepath: str, pattern: str, metadata: dict[str, Any] | None = None
    ) -> None:
        super().__init__(filepath=filepath, metadata=metadata)
        self._pattern = pattern

    def load(self) -> ImageSource:
        return read_labelled_file_names(self._filepath, self._pattern)


class DigitsDataset(ImageSourceDataset):
    """Scikit-learn's handwritten digits.

    Args:
        limit: Take the first so many pictures; all 1,797 if None.
        metadata: Ignored by Kedro; kedro-viz reads it.
    """

    def __init__(self, *, limit: int | None = None, metadata: dict[str, Any] | None = None) -> None:
        super().__init__(filepath="sklearn.datasets.load_digits", metadata=metadata)
        self._limit = limit

    def load(self) -> ImageSource:
        return read_digits(self._limit)

    def _exists(self) -> bool:
        return True
