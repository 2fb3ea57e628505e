"""Catalog types for ``raw_images`` whose labels stand in a file of their own."""

from __future__ import annotations

import glob
import os
from pathlib import Path
from typing import Any

from graft.datasets.image_sources import ImageSourceDataset
from graft.images.layouts import TableColumns, read_label_line, read_label_table
from graft.images.sources import ImageSource
from graft.images.stores import is_archive_name


class LabelTableDataset(ImageSourceDataset):
    """A table of labels (CSV, TSV, ``;``), or one in each folder.

    Args:
        filepath: A table, a folder or archive of tables, or a pattern for their names.
        images: Folder or archive that the file names are relative to; unless given, each table's
            own folder.
        metadata: Ignored by Kedro; kedro-viz reads it.
        **columns: The fields of :class:`~graft.images.layouts.TableColumns`, of which
            ``file_column`` and ``label_column`` are needed.
    """

    def __init__(
        self,
        *,
        filepath: str,
        images: str | None = None,
        metadata: dict[str, Any] | None = None,
        **columns: Any,
    ) -> None:
        super().__init__(filepath=filepath, metadata=metadata)
        self._images = images
        self._columns = TableColumns.model_validate(columns)

    def load(self) -> ImageSource:
        return read_label_table(self._filepath, self._columns, self._images)

    def list_places(self) -> list[Path]:
        pattern = os.path.expanduser(self._filepath)
        exact = os.path.exists(pattern)
        tables = [Path(pattern)] if exact else sorted(map(Path, glob.glob(pattern, recursive=True)))
        if self._images is not None:
            return [*tables, Path(self._images).expanduser()]
        folders = {path if path.is_dir() or is_archive_name(path.name) else path.parent
                   for path in tables}  # fmt: skip
        return sorted(folders)

    def _exists(self) -> bool:
        path = os.path.expanduser(self._filepath)
        return os.path.exists(path) or any(glob.iglob(path, recursive=True))


class LabelLineDataset(ImageSourceDataset):
    """One character a picture (``OOMM…``), in the natural order of the pictures' names.

    Args:
        filepath: The text file.
        images: Folder or archive of the pictures; unless given, the folder of the text file.
        class_names: Name of the class of each character, such as ``{O: old, M: modern}``.
        metadata: Ignored by Kedro; kedro-viz reads it.
    """

    def __init__(
        self,
        *,
        filepath: str,
        images: str | None = None,
        class_names: dict[Any, Any] | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(filepath=filepath, metadata=metadata)
        self._images = images
        self._class_names = class_names

    def load(self) -> ImageSource:
        return read_label_line(self._filepath, self._images, self._class_names)

    def list_places(self) -> list[Path]:
        labels = Path(self._filepath).expanduser()
        return (
            [labels.parent] if self._images is None else [labels, Path(self._images).expanduser()]
        )
