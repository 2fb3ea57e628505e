"""Where picture files lie: a folder or an archive, read in place through one interface."""

from __future__ import annotations

import lzma
import os
import stat
import tarfile
import threading
import zipfile
import zlib
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO, Generic, Protocol, Self, TypeVar

from graft.errors import GraftError, PictureError
from graft.file_hashes import Identity, Stamp, identify, stamp
from graft.sources.file_names import is_litter, leaves_folder, refuse_giant, to_path, to_text

Opened = TypeVar("Opened", zipfile.ZipFile, tarfile.TarFile)


class _Archive(ABC, Generic[Opened]):
    """An archive whose members are listed once, and whose file can be closed between reads.

    Args:
        path: Where it lies.
    """

    is_archive = True

    def __init__(self, path: Path) -> None:
        self._path, self._lock = path, threading.RLock()
        self._open_file: tuple[BinaryIO, Opened] | None = None
        self._stamp: Stamp | None = None
        try:
            self._members = self._list_members(self._open()[1])
        except BaseException:
            self.close()
            raise
        self.names = [name for name in self._members if not is_litter(name)]

    def identify(self, name: str) -> Identity | None:
        """In which state the archive is that a member is read from; None if it cannot be read."""
        try:
            with self._lock:
                now = stamp(self._open()[0].fileno())
        except (OSError, PictureError):
            return None
        return Identity(f"{os.path.abspath(self._path)}//{name}", now)

    def close(self) -> None:
        """Close the file; it is opened again when something is read."""
        with self._lock:
            for opened in reversed(self._open_file or ()):
                opened.close()
            self._open_file = None

    def _open(self) -> tuple[BinaryIO, Opened]:
        """The open file, and the archive that is read from it.

        Raises:
            PictureError: If another one lies there now than was listed.
        """
        with self._lock:
            if self._open_file is None:
                file = self._path.open("rb")
                try:
                    now = stamp(file.fileno())
                    if self._stamp not in (None, now):
                        raise PictureError("its archive has changed since it was listed")
                    self._stamp, self._open_file = now, (file, self._open_archive(file))
                except BaseException:
                    file.close()
                    raise
            return self._open_file

    @abstractmethod
    def _open_archive(self, file: BinaryIO) -> Opened:
        """The archive in an open file."""

    @abstractmethod
    def _list_members(self, opened: Opened) -> dict[str, Any]:
        """Name to member, of all that are files."""


class ZipStore(_Archive[zipfile.ZipFile]):
    """Members of a ``.zip`` file, read without unpacking; safe to use from threads."""

    def _open_archive(self, file: BinaryIO) -> zipfile.ZipFile:
        return zipfile.ZipFile(file)

    def _list_members(self, opened: zipfile.ZipFile) -> dict[str, Any]:
        return {member.filename: member for member in opened.infolist() if not member.is_dir()}

    def read(self, name: str) -> bytes:
        _refuse_escape(name)
        member = self._members[name]
        if stat.S_ISLNK(member.external_attr >> 16):
            raise PictureError("not a regular file in the archive (a link)")
        if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            # Python's readers of these unpack without a bound: kilobytes would fill the memory.
            raise PictureError("cannot be read from the archive: pack it by the usual method")
        refuse_giant(member.file_size)
        try:
            with self._open()[1].open(member) as stream:
                # `ZipFile.read` would unpack all there is, whatever size the member claims.
                data = stream.read(member.file_size)
        except (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, OSError) as error:
            raise PictureError(f"damaged in the archive: {error}") from None
        except (RuntimeError, NotImplementedError) as error:
            raise PictureError(f"cannot be read from the archive: {error}") from None
        if len(data) != member.file_size:
            raise PictureError(f"cut short in the archive: {len(data)} of {member.file_size} bytes")
        return data


class _StrictTarInfo(tarfile.TarInfo):
    """Takes only an end mark for the end: ``tarfile`` also stops, silently, at damage."""

    @classmethod
    def fromtarfile(cls, tar: tarfile.TarFile) -> Self:
        try:
            return super().fromtarfile(tar)
        except tarfile.HeaderError as error:
            if type(error).__name__ == "EOFHeaderError":
                raise
            raise tarfile.ReadError(f"{error}, {tar.offset:,} bytes from its start") from error


class TarStore(_Archive[tarfile.TarFile]):
    """Members of a ``.tar``, ``.tar.gz``, ``.tar.bz2`` or ``.tar.xz`` file, read in place.

    A compressed stream only runs forward: to list it decompresses it once, to read in the order
    of ``names`` once more, while every step back starts it again.
    """

    def _open_archive(self, file: BinaryIO) -> tarfile.TarFile:
        return tarfile.open(fileobj=file, tarinfo=_StrictTarInfo)

    def _list_members(self, opened: tarfile.TarFile) -> dict[str, Any]:
        return {
            to_text(member.name.removeprefix("./")): member
            for member in opened.getmembers()
            if not member.isdir()
        }

    def read(self, name: str) -> bytes:
        _refuse_escape(name)
        member = self._members[name]
        if not member.isfile():
            raise PictureError("not a regular file in the archive (a link or a device)")
        refuse_giant(member.size)
        try:
            with self._lock:
                stream = self._open()[1].extractfile(member)
                data = stream.read() if stream else b""
        except (tarfile.TarError, zlib.error, lzma.LZMAError, EOFError, OSError) as error:
            raise PictureError(f"damaged in the archive: {error}") from None
        if len(data) != member.size:
            raise PictureError(f"cut short in the archive: {len(data)} of {member.size} bytes")
        return data


def _refuse_escape(name: str) -> None:
    if leaves_folder(name):
        raise PictureError("its name leaves the archive ('..' or an absolute path)")


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
