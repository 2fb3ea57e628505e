"""What the names and sizes of files tell before they are read."""

from __future__ import annotations

import os
from pathlib import PurePosixPath

from graft.images.decoding import PictureError

# A single picture file above this is an accident or an attack (a zip bomb), not a picture.
MAX_FILE_BYTES = 256 * 1024**2
_LITTER = {"Thumbs.db", "desktop.ini", "__MACOSX"}


def is_litter(name: str) -> bool:
    """Whether a path is hidden, or what desktops leave behind."""
    parts = PurePosixPath(name).parts
    return any(part in _LITTER or (part[0] == "." and part != "..") for part in parts)


def to_text(name: str) -> str:
    r"""A name as text that can be stored: bytes that are not UTF-8 become ``\xNN``."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def refuse_giant(size: int) -> None:
    """Raise :class:`~graft.images.decoding.PictureError` for a file too large for a picture."""
    if size > MAX_FILE_BYTES:
        raise PictureError(f"{size:,} bytes, more than the {MAX_FILE_BYTES:,} of a picture file")
