"""Pictures without labels: a folder, an archive or a single file, whatever its folders mean."""

from __future__ import annotations

import os
from pathlib import Path

from graft.errors import PictureError
from graft.file_hashes import Identity, identify
from graft.sources.file_names import refuse_giant, to_path, to_text
from graft.sources.source import ImageSource, Record, make_records
from graft.sources.stores import is_archive_name, open_filled_store


def read_plain_files(path: str | os.PathLike[str]) -> ImageSource:
    """All files in a folder or an archive, or one file; none has a label.

    Raises:
        GraftError: If there is no file at all, or the archive is corrupt.
    """
    location = to_path(path)
    if location.is_file() and not is_archive_name(location.name):
        return _read_one(location)
    store = open_filled_store(path)
    return ImageSource(make_records(map(Record, store.names)), store.read, identify=store.identify)


def _read_one(file: Path) -> ImageSource:
    def read(_: str) -> bytes:
        try:
            refuse_giant(file.stat().st_size)
            return file.read_bytes()
        except OSError as error:
            raise PictureError(f"cannot be read: {error.strerror or error}") from None

    def find_state(_: str) -> Identity | None:
        try:
            return None if file.is_symlink() else identify(file)
        except OSError:
            return None

    return ImageSource(make_records([Record(to_text(file.name))]), read, identify=find_state)
