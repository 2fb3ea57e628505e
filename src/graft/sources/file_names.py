"""What the names and sizes of files tell before they are read."""

from __future__ import annotations

import os
import re
from functools import cache
from pathlib import Path, PurePosixPath, PureWindowsPath

from PIL import Image

from graft.errors import GraftError
from graft.images.decoding import PictureError

# A single picture file above this is an accident or an attack (a zip bomb), not a picture.
MAX_FILE_BYTES = 256 * 1024**2
# What a person has decided about labels lies among the pictures and is none of them.
VERDICTS_FILE = "label_review.csv"
_LITTER = {"Thumbs.db", "desktop.ini", "__MACOSX", VERDICTS_FILE}


def to_path(path: str | os.PathLike[str]) -> Path:
    """A path as a person types it, ``~`` and all.

    Raises:
        GraftError: If there can be no such path.
    """
    try:
        location = Path(path).expanduser()
        location.exists()
    except (OSError, RuntimeError, ValueError, TypeError) as error:
        raise GraftError(
            f"this is no path ({str(error)[:60]}); give that of a file or folder; "
            f"got {str(path)[:60]!r}"
        ) from error
    return location


def is_litter(name: str) -> bool:
    """Whether a path is hidden, what desktops leave behind, or the file of verdicts."""
    parts = PurePosixPath(name).parts
    return any(part in _LITTER or (part[0] == "." and part != "..") for part in parts)


def is_picture_name(name: str) -> bool:
    """Whether the suffix is that of a picture format that can be read."""
    return PurePosixPath(name).suffix.lower() in _list_picture_suffixes()


@cache
def _list_picture_suffixes() -> set[str]:
    return {
        suffix for suffix, format_ in Image.registered_extensions().items() if format_ in Image.OPEN
    }


def leaves_folder(name: str) -> bool:
    r"""Whether a relative name means a place outside: absolute, ``..``, a drive (``C:``).

    Examples:
        >>> [leaves_folder(name) for name in ("a/b.png", "a/../../b.png", r"..\b.png", "C:b.png")]
        [False, True, True, True]
    """
    # A byte that `to_text` shows as \xNN is no slash; otherwise both kinds of slash count.
    windows = PureWindowsPath(re.sub(r"^\\(?=x[0-9a-f]{2})", "", name))
    return ".." in windows.parts or bool(windows.drive or windows.root)


def natural_key(name: str) -> list[tuple[int, str]]:
    """Sort key that counts: ``bed_2`` stands before ``bed_10``.

    Examples:
        >>> sorted(["bed_10.jpg", "bed_9.jpg", "bath_11.jpg"], key=natural_key)
        ['bath_11.jpg', 'bed_9.jpg', 'bed_10.jpg']
    """
    # A number's length, then its digits: Python refuses to make an int of very many digits.
    parts = re.split(r"([0-9]+)", name)
    parts[1::2] = [digits.lstrip("0") for digits in parts[1::2]]
    return [(len(part) if at % 2 else 0, part) for at, part in enumerate(parts)] + [(0, name)]


def to_text(name: str) -> str:
    r"""A name as text that can be stored: bytes that are not UTF-8 become ``\xNN``."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def refuse_giant(size: int) -> None:
    """Raise :class:`~graft.images.decoding.PictureError` for a file too large for a picture."""
    if size > MAX_FILE_BYTES:
        raise PictureError(f"{size:,} bytes, more than the {MAX_FILE_BYTES:,} of a picture file")
