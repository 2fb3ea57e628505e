"""Pictures in archives, read in place."""

from __future__ import annotations

import lzma
import stat
import tarfile
import threading
import zipfile
import zlib
from pathlib import Path
from typing import Self

from graft.images.decoding import PictureError
from graft.images.file_names import is_litter, leaves_folder, refuse_giant, to_text


class ZipStore:
    """Members of a ``.zip`` file, read without unpacking; safe to use from threads."""

    is_archive = True

    def __init__(self, path: Path) -> None:
        self._zip = zipfile.ZipFile(path)
        self._members = {
            member.filename: member for member in self._zip.infolist() if not member.is_dir()
        }
        self.names = [name for name in self._members if not is_litter(name)]

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
            with self._zip.open(member) as stream:
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


class TarStore:
    """Members of a ``.tar``, ``.tar.gz``, ``.tar.bz2`` or ``.tar.xz`` file, read in place.

    A compressed stream only runs forward: reading in the order of ``names`` decompresses it
    once, while every step back starts it again.
    """

    is_archive = True

    def __init__(self, path: Path) -> None:
        self._lock = threading.Lock()
        self._tar = tarfile.open(path, tarinfo=_StrictTarInfo)  # noqa: SIM115 - kept open
        self._members = {
            to_text(member.name.removeprefix("./")): member
            for member in self._tar.getmembers()
            if not member.isdir()
        }
        self.names = [name for name in self._members if not is_litter(name)]

    def read(self, name: str) -> bytes:
        _refuse_escape(name)
        member = self._members[name]
        if not member.isfile():
            raise PictureError("not a regular file in the archive (a link or a device)")
        refuse_giant(member.size)
        try:
            with self._lock:
                stream = self._tar.extractfile(member)
                data = stream.read() if stream else b""
        except (tarfile.TarError, zlib.error, lzma.LZMAError, EOFError, OSError) as error:
            raise PictureError(f"damaged in the archive: {error}") from None
        if len(data) != member.size:
            raise PictureError(f"cut short in the archive: {len(data)} of {member.size} bytes")
        return data


def _refuse_escape(name: str) -> None:
    if leaves_folder(name):
        raise PictureError("its name leaves the archive ('..' or an absolute path)")
