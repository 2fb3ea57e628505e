"""Where picture files lie: a folder or an archive, read in place through one interface."""

from __future__ import annotations

import lzma
import os
import tarfile
import threading
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from graft.errors import GraftError
from graft.images.archives import TarStore, ZipStore
from graft.images.decoding import PictureError
from graft.images.file_hashes import Identity, Stamp, identify
from graft.images.file_names import is_litter, refuse_giant, to_path, to_text


class FileStore(Protocol):
    """Named files; reading them in the order of ``names`` is the cheapest way."""

    names: list[str]
    is_archive: bool

    def read(self, name: str) -> bytes:
        """Return a file's bytes.

        Raises:
            PictureError: If this one file cannot be read; the others still can.
        """

    def identify(self, name: str) -> Identity | None:
        """The state in which a file is now; None if it can tell nothing of its bytes."""


class FolderStore:
    r"""Files below a folder, hidden ones and the litter of desktops left out.

    Names are relative POSIX paths. Bytes in a name that are not UTF-8 are shown as ``\xNN``,
    so that every name can be stored as text.
    """

    is_archive = False

    def __init__(self, root: Path) -> None:
        self._root = root.resolve()
        self._paths = {to_text(path.relative_to(root).as_posix()): path for path in _walk(root)}
        self.names = sorted(self._paths)

    def read(self, name: str) -> bytes:
        path = self._paths[name]
        try:
            if path.is_symlink() and path.is_dir():
                raise PictureError("symbolic link to a folder, which is not followed")
            if path.is_symlink() and not path.resolve().is_relative_to(self._root):
                raise PictureError("symbolic link that leaves the source folder")
            if not path.is_file():
                raise PictureError("not a regular file")
            refuse_giant(path.stat().st_size)
            return path.read_bytes()
        except OSError as error:
            raise PictureError(f"cannot be read: {error.strerror or error}") from None
        except RuntimeError:
            raise PictureError("symbolic link that leads to itself") from None

    def identify(self, name: str) -> Identity | None:
        path = self._paths[name]
        try:
            # Where a link leads must be looked at each time.
            return identify(path) if path.is_file() and not path.is_symlink() else None
        except OSError:
            return None


_ARCHIVES: dict[str, Callable[[Path], ZipStore | TarStore]] = {
    ".zip": ZipStore,
    ".tar": TarStore,
    ".tar.gz": TarStore,
    ".tgz": TarStore,
    ".tar.bz2": TarStore,
    ".tar.xz": TarStore,
}


_ARCHIVE_ERRORS = (
    zipfile.BadZipFile,
    tarfile.TarError,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    OSError,
    ValueError,
    NotImplementedError,
)


# Archives that this process has listed: to list a compressed one decompresses it whole.
_listed: dict[str, tuple[Stamp, ZipStore | TarStore]] = {}
_listing = threading.Lock()


def is_archive_name(name: str) -> bool:
    """Whether a file is an archive by its name."""
    return name.lower().endswith(tuple(_ARCHIVES))


def open_store(path: str | os.PathLike[str]) -> FileStore:
    """Open a folder or an archive of pictures.

    An archive is listed once as long as it stays as it is, until :func:`close_archives`.

    Raises:
        GraftError: If the path does not exist, is no folder or archive, or is corrupt.
    """
    location = to_path(path)
    if location.is_dir():
        return FolderStore(location)
    if not location.exists():
        raise GraftError(
            f"no folder or archive of pictures at '{location}'; give one that exists, "
            "for example with --params source=FOLDER"
        )
    open_archive = next(
        (opener for suffix, opener in _ARCHIVES.items() if location.name.lower().endswith(suffix)),
        None,
    )
    if open_archive is None:
        raise GraftError(
            f"pictures are read from a folder or from {', '.join(_ARCHIVES)}; got '{location}'"
        )
    try:
        with _listing:
            return _list_once(location, open_archive)
    except _ARCHIVE_ERRORS as error:
        reason = str(error).splitlines()[0].rstrip(":") if str(error) else type(error).__name__
        raise GraftError(
            f"'{location}' is not a whole archive ({reason}); download or pack it again"
        ) from error


def close_archives() -> None:
    """Close the files of all archives and forget what is in them."""
    with _listing:
        for _, store in _listed.values():
            store.close()
        _listed.clear()


def open_filled_store(path: str | os.PathLike[str]) -> FileStore:
    """Open a folder or an archive of pictures that must not be empty.

    Raises:
        GraftError: As :func:`open_store`, or if there is no file in it.
    """
    store = open_store(path)
    if not store.names:
        raise GraftError(f"'{path}' holds no files; put pictures there, or name another source")
    return store


def _list_once(
    location: Path, open_archive: Callable[[Path], ZipStore | TarStore]
) -> ZipStore | TarStore:
    path, now = identify(location)
    if path in _listed and _listed[path][0] == now:
        return _listed[path][1]
    if path in _listed:
        _listed.pop(path)[1].close()
    store = open_archive(location)
    _listed[path] = now, store
    return store


def _walk(root: Path) -> list[Path]:
    paths = []
    for folder, subfolders, files in os.walk(root, onerror=_refuse_unlisted):
        subfolders[:] = [name for name in subfolders if not is_litter(name)]
        # A link to a folder is not followed (it may lead in a circle): `read` says so by name.
        links = [name for name in subfolders if os.path.islink(os.path.join(folder, name))]
        paths += [Path(folder, name) for name in [*files, *links] if not is_litter(name)]
    return paths


def _refuse_unlisted(error: OSError) -> None:
    raise GraftError(
        "a folder of the source cannot be listed, so its pictures would be missing unnoticed "
        f"({error.strerror}); make it readable or move it away; got '{to_text(error.filename)}'"
    ) from error
