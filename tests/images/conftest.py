"""Picture files, folders and archives made by the tests."""

from __future__ import annotations

import io
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image


@pytest.fixture(scope="session")
def encode() -> Callable[..., bytes]:
    """Function from a picture, a format and options of that format to the bytes of a file."""

    def encode(picture: Image.Image, file_format: str, **options: object) -> bytes:
        buffer = io.BytesIO()
        picture.save(buffer, file_format, **options)
        return buffer.getvalue()

    return encode


@pytest.fixture(scope="session")
def pack_bomb() -> Callable[[int, int], bytes]:
    """Function from width and height to a PNG file of some kilobytes that is all black.

    Written by hand, for Pillow would need the memory that the tests forbid to use.
    """

    def make_chunk(kind: bytes, content: bytes) -> bytes:
        checksum = struct.pack(">I", zlib.crc32(kind + content))
        return struct.pack(">I", len(content)) + kind + content + checksum

    def pack_bomb(width: int, height: int) -> bytes:
        header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
        row = bytes(1 + (width + 7) // 8)
        return b"\x89PNG\r\n\x1a\n" + b"".join(
            make_chunk(kind, content)
            for kind, content in [
                (b"IHDR", header),
                (b"IDAT", zlib.compress(row * height, level=1)),
                (b"IEND", b""),
            ]
        )

    return pack_bomb


@pytest.fixture(params=["folder", "zip", "tar", "tar.gz", "tar.bz2", "tar.xz"])
def pack(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[dict[str, bytes]], Path]:
    """Function that lays files, by name, into a folder or an archive of every kind."""
    kind = request.param

    def pack(files: dict[str, bytes]) -> Path:
        if kind == "folder":
            return write_folder(tmp_path / "pictures", files)
        path = tmp_path / f"pictures.{kind}"
        if kind == "zip":
            return write_zip(path, files)
        return write_tar(path, files)

    return pack


def write_folder(path: Path, files: dict[str, bytes]) -> Path:
    for name, content in files.items():
        file = path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    return path


def write_zip(path: Path, files: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def write_tar(path: Path, files: dict[str, bytes]) -> Path:
    with tarfile.open(path, f"w:{path.suffix[1:].replace('tar', '')}") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return path


@pytest.fixture
def pack_folder(tmp_path: Path) -> Callable[[dict[str, bytes]], Path]:
    """Function that lays files, by name, into a folder."""
    return lambda files: write_folder(tmp_path / "pictures", files)


@pytest.fixture
def pack_zip(tmp_path: Path) -> Callable[[dict[str, bytes]], Path]:
    """Function that lays files, by name, into a zip archive without compressing them."""
    return lambda files: write_zip(tmp_path / "pictures.zip", files)


@pytest.fixture
def pack_tar(tmp_path: Path) -> Callable[..., Path]:
    """Function that lays files, by name, into a tar archive, compressed if asked for."""
    return lambda files, suffix=".tar": write_tar(tmp_path / f"pictures{suffix}", files)


@pytest.fixture(params=["zip", "tar"])
def pack_archive(
    request: pytest.FixtureRequest, tmp_path: Path
) -> Callable[[dict[str, bytes]], Path]:
    """Function that lays files, by name, into a zip and into a tar archive."""
    write = {"zip": write_zip, "tar": write_tar}[request.param]
    return lambda files: write(tmp_path / f"pictures.{request.param}", files)
