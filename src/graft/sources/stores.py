"""Where picture files lie: a folder or an archive, read in place through one interface."""

from __future__ import annotations

import lzma
import os
import stat
import struct
import tarfile
import threading
import zipfile
import zlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO, Generic, Protocol, Self, TypeVar

from graft.errors import GraftError, PictureError
from graft.file_hashes import Identity, Stamp, identify, stamp
from graft.sources.file_names import (
    find_inside,
    find_litter,
    is_litter,
    is_picture_name,
    leaves_folder,
    refuse_giant,
    to_path,
    to_text,
    walk_folder,
)
from graft.sources.remote import forget_fetched

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
        self._folders: list[str] = []
        self._twice: list[str] = []
        try:
            self._members = self._list_members(self._open()[1])
        except BaseException:
            self.close()
            raise
        self.names: list[str] = [name for name in self._members if not is_litter(name)]
        filled = {str(folder) for name in self._members for folder in PurePosixPath(name).parents}
        self.empty_folders: list[str] = [name for name in self._folders if name not in filled]
        litter = (find_litter(name) for name in self._members if _is_no_fork(name))
        self.notes: tuple[str, ...] = note_litter({name for name in litter if name is not None})
        self.notes += self._note_twice()

    def __reduce__(self) -> tuple[type[Self], tuple[Path]]:
        """In another process it is listed anew: an open file cannot be sent there."""
        return type(self), (self._path.absolute(),)

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

    def _keep_last(self, members: Iterable[tuple[str, Any]]) -> dict[str, Any]:
        """Name to member; of a name that is there twice the last, as unpacking would leave it."""
        found: dict[str, Any] = {}
        for name, member in members:
            if name in found:
                self._twice.append(name)
            found[name] = member
        return found

    def _note_twice(self) -> tuple[str, ...]:
        if not self._twice:
            return ()
        names = {*self._twice}
        return (
            f"Twice        {len(names):,} names are in the archive more than once, of each the "
            f"last is taken; first {sorted(names)[0]!r}",
        )

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
        names = [(_decode_name(member), member) for member in opened.infolist()]
        # Some programs on Windows write their own slash, against the format.
        if not any("/" in name for name, _ in names):
            names = [(name.replace("\\", "/"), member) for name, member in names]
        is_folder = [name.endswith("/") for name, _ in names]
        self._folders = [n[:-1] for (n, _), yes in zip(names, is_folder, strict=True) if yes]
        return self._keep_last(one for one, yes in zip(names, is_folder, strict=True) if not yes)

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


def _decode_name(member: zipfile.ZipInfo) -> str:
    """A name as it was meant: without a mark for UTF-8, Python reads the letters of MS-DOS.

    Many programs write UTF-8 and no mark. Names of MS-DOS are hardly ever UTF-8 by chance.
    """
    # Info-ZIP's own field for it, for a name that the header has in other letters.
    extra = member.extra
    while len(extra) >= 4:
        kind, size = struct.unpack("<HH", extra[:4])
        if kind == _UNICODE_PATH and size > 5:
            with suppress(UnicodeDecodeError):
                return extra[9 : 4 + size].decode()
        extra = extra[4 + size :]
    if not member.flag_bits & _IS_UTF8:
        with suppress(UnicodeError):
            return member.filename.encode("cp437").decode()
    return member.filename


_IS_UTF8 = 0x800
_UNICODE_PATH = 0x7075


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
        members = [(to_text(one.name.removeprefix("./")), one) for one in opened.getmembers()]
        self._folders = [name for name, one in members if one.isdir()]
        return self._keep_last((name, one) for name, one in members if not one.isdir())

    def read(self, name: str) -> bytes:
        _refuse_escape(name)
        member = self._follow_hard_links(self._members[name])
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

    def _follow_hard_links(self, member: tarfile.TarInfo) -> tarfile.TarInfo:
        """The member that has the bytes: of a file with two names, tar packs them once."""
        for _ in range(_MOST_LINKS):
            if not member.islnk():
                break
            target = self._members.get(to_text(member.linkname.removeprefix("./")))
            if target is None:
                raise PictureError("a hard link to a file that is not in the archive")
            member = target
        return member


_MOST_LINKS = 8


def _refuse_escape(name: str) -> None:
    if leaves_folder(name):
        raise PictureError("its name leaves the archive ('..' or an absolute path)")


class FileStore(Protocol):
    """Named files; reading them in the order of ``names`` is the cheapest way.

    Attributes:
        names: Of all files.
        is_archive: Whether they are packed.
        empty_folders: Names of folders without any file.
        notes: What a person should know of what was left out, a line each.
    """

    names: list[str]
    is_archive: bool
    empty_folders: list[str]
    notes: tuple[str, ...]

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

    def __init__(self, root: Path, follow_links: bool = False) -> None:
        self._given, self._root, self._follows = root, root.resolve(), follow_links
        # A path of each file would take as much memory as all else that is known of it.
        self._odd_names: dict[str, str] = {}
        names: set[str] = set()
        self.empty_folders: list[str] = []
        links: list[str] = []
        litter: set[str] = set()
        for found in walk_folder(root, follow_links, _refuse_unlisted):
            inside = find_inside(found.folder, root)
            for name in [*found.files, *found.links]:
                text = to_text(inside + name)
                names.add(text)
                if text != inside + name:
                    self._odd_names[text] = inside + name
            links += [to_text(inside + name) for name in found.links]
            litter |= {
                to_text(inside + name)
                for name in found.litter
                if _holds_picture(Path(found.folder, name))
            }
            if found.is_empty and inside:
                self.empty_folders.append(to_text(inside.rstrip(os.sep)))
        self.names = sorted(names)
        self.notes = note_litter(litter)
        if links:
            told = "leads in a circle" if follow_links else "is not followed"
            more = "" if follow_links else "; --params follow_links=true does"
            self.notes += (
                f"Links        a link to a folder {told}{more}: {', '.join(map(repr, links[:4]))}"
                + (f" and {len(links) - 4:,} more" if len(links) > 4 else ""),
            )

    def read(self, name: str) -> bytes:
        path = self._locate(name)
        try:
            if path.is_symlink() and path.is_dir():
                raise PictureError("symbolic link to a folder, which is not followed")
            is_bound = path.is_symlink() and not self._follows
            if is_bound and not path.resolve().is_relative_to(self._root):
                raise PictureError(
                    "symbolic link that leaves the source folder (follow_links=true follows it)"
                )
            if not path.is_file():
                raise PictureError("not a regular file")
            refuse_giant(path.stat().st_size)
            return path.read_bytes()
        except OSError as error:
            raise PictureError(f"cannot be read: {error.strerror or error}") from None
        except RuntimeError:
            raise PictureError("symbolic link that leads to itself") from None

    def identify(self, name: str) -> Identity | None:
        path = self._locate(name)
        try:
            # Where a link leads must be looked at each time.
            return identify(path) if path.is_file() and not path.is_symlink() else None
        except OSError:
            return None

    def _locate(self, name: str) -> Path:
        return self._given / self._odd_names.get(name, name)


def note_litter(litter: Iterable[str]) -> tuple[str, ...]:
    """A line of the folders that are left out, though there are pictures in them."""
    names = sorted(litter)
    if not names:
        return ()
    more = f" and {len(names) - 4:,} more" if len(names) > 4 else ""
    told = ", ".join(map(repr, names[:4])) + more
    return (f"Left out     hidden or system folders with pictures in them: {told}",)


def _is_no_fork(name: str) -> bool:
    """Whether a name is that of a picture; a Mac packs ``._1.png`` beside ``1.png``."""
    is_inside = PurePosixPath(name).name[:1] != "." and find_litter(name) != name
    return is_inside and is_picture_name(name)


def _holds_picture(folder: Path) -> bool:
    return any(_is_no_fork(f"x/.y/{name}") for _, _, files in os.walk(folder) for name in files)


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


def open_store(path: str | os.PathLike[str], follow_links: bool = False) -> FileStore:
    """Open a folder or an archive of pictures.

    An archive is listed once as long as it stays as it is, until :func:`close_archives`.

    Args:
        path: Of the folder or archive.
        follow_links: Whether links in a folder are followed, wherever they lead.

    Raises:
        GraftError: If the path does not exist, is no folder or archive, or is corrupt.
    """
    location = to_path(path)
    if location.is_dir():
        return FolderStore(location, follow_links)
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
    """Close the files of all archives and forget what is in them, and in what was fetched."""
    forget_fetched()
    with _listing:
        for _, store in _listed.values():
            store.close()
        _listed.clear()


def open_filled_store(path: str | os.PathLike[str], follow_links: bool = False) -> FileStore:
    """Open a folder or an archive of pictures that must not be empty; as :func:`open_store`.

    Raises:
        GraftError: As :func:`open_store`, or if there is no file in it.
    """
    store = open_store(path, follow_links)
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


def _refuse_unlisted(error: OSError) -> None:
    raise GraftError(
        "a folder of the source cannot be listed, so its pictures would be missing unnoticed "
        f"({error.strerror}); make it readable or move it away; got '{to_text(error.filename)}'"
    ) from error
