"""Pictures in archives, read in place."""

from __future__ import annotations

import tarfile
import threading
import zipfile
import zlib
from pathlib import Path, PurePosixPath
from typing import Self

from graft.images.decoding import PictureError
from graft.images.file_names import is_litter, refuse_giant, to_text


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
        refuse_giant(member.file_size)
        try:
            return self._zip.read(member)
        except (zipfile.BadZipFile, zlib.error, EOFError, OSError) as error:
            raise PictureError(f"damaged in the archive: {error}") from None
        except (RuntimeError, NotImplementedError) as error:
            raise PictureError(f"cannot be read from the archive: {error}") from None


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
        except (tarfile.TarError, zlib.error, EOFError, OSError) as error:
            raise PictureError(f"damaged in the archive: {error}") from None
        if len(data) != member.size:
            raise PictureError(f"cut short in the archive: {len(data)} of {member.size} bytes")
        return data


def _refuse_escape(name: str) -> None:
    path = PurePosixPath(name.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts:
        raise PictureError("its name leaves the archive ('..' or an absolute path)")
