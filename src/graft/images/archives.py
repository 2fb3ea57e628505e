"""Pictures in archives, read in place."""

from __future__ import annotations

import lzma
import os
import stat
import tarfile
import threading
import zipfile
import zlib
from pathlib import Path
from typing import Any, BinaryIO, Generic, Self, TypeVar

from graft.images.decoding import PictureError
from graft.images.file_hashes import Identity, Stamp, stamp
from graft.images.file_names import is_litter, leaves_folder, refuse_giant, to_text

Opened = TypeVar("Opened", zipfile.ZipFile, tarfile.TarFile)


class _Archive(Generic[Opened]):
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

    def _open_archive(self, file: BinaryIO) -> Opened:
        raise NotImplementedError

    def _list_members(self, opened: Opened) -> dict[str, Any]:
        raise NotImplementedError


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
