"""What the names and sizes of files tell before they are read."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import NamedTuple

from PIL import Image

from graft.errors import GraftError, PictureError

# A single picture file above this is an accident or an attack (a zip bomb), not a picture.
MAX_FILE_BYTES = 256 * 1024**2
# What a person has decided about labels lies among the pictures and is none of them.
REVIEW_FILE, ANSWERS_FILE = "label_review.csv", "label_answers.csv"
# Without capitals: what desktops, network drives and file systems leave among a user's files.
_LITTER = {
    "thumbs.db", "desktop.ini", "__macosx", "@eadir", "#recycle", "@recycle", "$recycle.bin",
    "recycler", "system volume information", "lost+found", REVIEW_FILE,
    ANSWERS_FILE,
}  # fmt: skip


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
    return find_litter(name) is not None


def find_litter(name: str) -> str | None:
    """The path up to the first part that is litter, as :func:`is_litter` has it; else None.

    Examples:
        >>> [find_litter(name) for name in ("cat/@eaDir/1.jpg/x.jpg", "cat/1.jpg")]
        ['cat/@eaDir', None]
    """
    # Not by `PurePosixPath`, which keeps every part of every name for as long as it lives.
    parts = name.split("/")
    for at, part in enumerate(parts):
        if part.casefold() in _LITTER or (part[:1] == "." and part not in (".", "..")):
            return str(PurePosixPath("/".join(parts[: at + 1])))
    return None


def is_picture_name(name: str) -> bool:
    """Whether the suffix is that of a picture format that can be read."""
    return PurePosixPath(name).suffix.lower() in _list_picture_suffixes()


# Of pictures that cannot be read here, or not without an extra.
_FOREIGN_SUFFIXES = {".heic", ".heif", ".jxl", ".dng", ".nef", ".cr2", ".arw", ".raw"}


def may_be_picture_name(name: str) -> bool:
    """Whether the suffix is that of a picture, readable or not."""
    return is_picture_name(name) or PurePosixPath(name).suffix.lower() in _FOREIGN_SUFFIXES


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
    """Raise :class:`~graft.errors.PictureError` for a file too large for a picture."""
    if size > MAX_FILE_BYTES:
        raise PictureError(f"{size:,} bytes, more than the {MAX_FILE_BYTES:,} of a picture file")


def walk_places(places: Iterable[Path], follow_links: bool = False) -> Iterator[tuple[str, str]]:
    """Name and place of every file in some places, in no order.

    Args:
        places: Files, archives or folders; of folders all below them counts, hidden files and
            the litter of desktops left out. What is not there has no files.
        follow_links: Whether links to folders are gone through; else they are files themselves.

    Yields:
        The number of the place, ``/`` and the name in it; and where the file, or the link, lies.
    """
    for number, place in enumerate(places):
        for name, path in _list_files(place, follow_links):
            yield f"{number}/{to_text(name)}", path


def _list_files(place: Path, follow_links: bool) -> Iterator[tuple[str, str]]:
    if not place.is_dir():
        yield from [(place.name, os.fspath(place))] if os.path.lexists(place) else []
        return
    for found in walk_folder(place, follow_links):
        inside = find_inside(found.folder, place)
        for name in [*found.files, *found.links]:
            yield inside + name, os.path.join(found.folder, name)


def find_inside(folder: str, root: Path) -> str:
    """What stands before the names of what lies in a folder below another one; empty in itself.

    Examples:
        >>> find_inside("flowers/rose", Path("flowers")), find_inside("flowers", Path("flowers"))
        ('rose/', '')
    """
    relative = os.path.relpath(folder, root)
    return "" if relative == os.curdir else relative + os.sep


class FoundFolder(NamedTuple):
    """One folder of a walk.

    Attributes:
        folder: Its path.
        files: Names of the files in it, without litter.
        links: Names of links to folders that are not gone through.
        litter: Names of folders in it that are left out.
        is_empty: Whether there is nothing else in it.
    """

    folder: str
    files: list[str]
    links: list[str]
    litter: list[str]
    is_empty: bool


def walk_folder(
    root: Path, follow_links: bool = False, onerror: Callable[[OSError], None] | None = None
) -> Iterator[FoundFolder]:
    """All folders below one.

    Args:
        root: The folder.
        follow_links: Whether links to folders are gone through, but for those in a circle.
        onerror: Called for a folder that cannot be listed.
    """
    for folder, subfolders, files in os.walk(root, onerror=onerror, followlinks=follow_links):
        litter = [name for name in subfolders if is_litter(name)]
        here = os.path.realpath(folder) + os.sep
        links = [
            name
            for name in subfolders
            if name not in litter
            and os.path.islink(path := os.path.join(folder, name))
            and not (follow_links and not here.startswith(os.path.realpath(path) + os.sep))
        ]
        subfolders[:] = [name for name in subfolders if name not in {*litter, *links}]
        kept = [name for name in files if not is_litter(name)]
        yield FoundFolder(folder, kept, links, litter, not (kept or links or subfolders))
