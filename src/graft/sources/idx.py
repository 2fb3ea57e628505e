"""IDX files: the pictures and labels of MNIST, Fashion-MNIST, EMNIST and their kin."""

from __future__ import annotations

import gzip
import math
import os
import re
import struct
import zlib
from io import BufferedIOBase
from pathlib import Path

import numpy as np

from graft.errors import GraftError
from graft.sources.file_names import to_path
from graft.sources.pixel_arrays import check_limit, serve_arrays
from graft.sources.source import ImageSource
from graft.sources.split_folders import find_split

# More than twice the largest set in this format, EMNIST ByClass (814,255 × 28 × 28 bytes).
MAX_BYTES = 2 * 1024**3
_UNSIGNED_BYTE = 0x08
# DEFLATE packs at best 258 bytes into 2 bits.
_HIGHEST_RATIO = 1032
_STEP = 1024**2


def read_idx_array(path: Path, dimensions: int) -> np.ndarray:
    """Read an IDX file of bytes, gzipped or not.

    No more is unpacked than the header promises, and no more is believed of the header than the
    size of the file allows.

    Args:
        path: The file.
        dimensions: 3 for pictures (N, H, W), 1 for labels (N,).

    Returns:
        Array of uint8, not writable; mapped if the file is not gzipped.

    Raises:
        GraftError: If the file is missing or anything about it is not as it should be.
    """
    try:
        if not path.is_file():
            raise ValueError("there is no such file")
        with path.open("rb") as file:
            packed = file.read(2) == b"\x1f\x8b"
            file.seek(0)
            size = os.fstat(file.fileno()).st_size
            if not packed:
                shape = _read_header(file, dimensions)
                _check_length(size - file.tell(), shape)
                return np.memmap(file, np.uint8, "r", file.tell(), shape)
            with gzip.open(file) as stream:
                shape = _read_header(stream, dimensions)
                return _unpack(stream, shape, size)
    except (ValueError, OSError, EOFError, zlib.error) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise GraftError(
            f"not a whole IDX file of {'pictures' if dimensions == 3 else 'labels'}: {reason}; "
            f"download it again or name another; got '{path}'"
        ) from error


def _read_header(stream: BufferedIOBase, dimensions: int) -> tuple[int, ...]:
    magic = stream.read(4)
    expected = bytes([0, 0, _UNSIGNED_BYTE, dimensions])
    if magic != expected:
        raise ValueError(f"it must begin with the bytes {expected.hex(' ')}, not {magic.hex(' ')}")
    header = stream.read(4 * dimensions)
    if len(header) < 4 * dimensions:
        raise ValueError("it is cut short in its header")
    shape = struct.unpack(f">{dimensions}I", header)
    if not all(shape):
        raise ValueError(f"its header says {' × '.join(map(str, shape))}, which is nothing")
    if math.prod(shape) > MAX_BYTES:
        raise ValueError(f"its header says {math.prod(shape):,} bytes, more than {MAX_BYTES:,}")
    return shape


def _unpack(stream: BufferedIOBase, shape: tuple[int, ...], packed_size: int) -> np.ndarray:
    promised = math.prod(shape)
    if promised > _HIGHEST_RATIO * packed_size:
        raise ValueError(f"its header says {promised:,} bytes, more than it can hold")
    data = np.empty(promised, np.uint8)
    filled = 0
    while part := stream.read(min(_STEP, promised - filled)):
        data[filled : filled + len(part)] = np.frombuffer(part, np.uint8)
        filled += len(part)
    if filled < promised:
        _check_length(filled, shape)
    # Reading on to the end of the file is also what checks its checksum.
    _check_length(promised + len(stream.read(1)), shape)
    data.flags.writeable = False
    return data.reshape(shape)


def _check_length(length: int, shape: tuple[int, ...]) -> None:
    promised = math.prod(shape)
    if length != promised:
        much = f"only {length:,}" if length < promised else "more"
        raise ValueError(
            f"its header says {' × '.join(map(str, shape))} = {promised:,} bytes; there are {much}"
        )


_IMAGES = re.compile(r"[-_.]?images([-_.]?)idx3", re.IGNORECASE)


def read_idx(
    path: str | os.PathLike[str],
    labels: str | os.PathLike[str] | None = None,
    limit: int | None = None,
) -> ImageSource:
    """Pictures and labels in IDX files, gzipped or not.

    Args:
        path: The file of the pictures (``t10k-images-idx3-ubyte.gz``), or a folder: then every
            such file in it is taken, each with its labels, and ``train`` and ``t10k`` (or
            ``test``) together are one source with given splits.
        labels: The file of the labels; unless given, the one beside the pictures that is named
            alike (``t10k-labels-idx1-ubyte.gz``).
        limit: Take the first so many pictures of each file; all of them if None.

    Returns:
        A source of PNG files, ``t10k_00042.png``, encoded when they are read. Files that are not
        gzipped are mapped; the others are unpacked to memory.

    Raises:
        GraftError: If a file is missing, is no IDX file, is longer or shorter than its header
            says, or if there are not as many labels as pictures.

    Source: Y. LeCun, C. Cortes, C. Burges, "The MNIST database of handwritten digits".
    """
    check_limit(limit)
    location = to_path(path)
    if not location.is_dir():
        pairs = [(location, to_path(labels) if labels else _find_labels(location))]
    elif labels is None:
        pairs = [(images, _find_labels(images)) for images in _find_images(location)]
    else:
        raise GraftError(f"a file of labels needs one file of pictures; got the folder '{path}'")
    parts = [_read_pair(images, names, limit) for images, names in pairs]
    return serve_arrays(parts, splits=_find_splits([prefix for prefix, _, _ in parts]))


def _read_pair(images: Path, labels: Path, limit: int | None) -> tuple[str, np.ndarray, np.ndarray]:
    numbers = read_idx_array(labels, dimensions=1)
    pixels = read_idx_array(images, dimensions=3)
    if len(numbers) != len(pixels):
        raise GraftError(
            f"there must be as many labels as pictures: '{images}' holds {len(pixels):,} pictures; "
            f"got {len(numbers):,} labels in '{labels}'"
        )
    return _derive_prefix(images), pixels[:limit], numbers[:limit]


def _find_splits(prefixes: list[str]) -> dict[str, str]:
    """Prefix to split, if one is for training and another is not; one alone is divided."""
    found = {prefix: "test" if "t10k" in prefix else find_split(prefix) for prefix in prefixes}
    splits = {prefix: split for prefix, split in found.items() if split is not None}
    return splits if "train" in splits.values() and len({*splits.values()}) > 1 else {}


def _derive_prefix(images: Path) -> str:
    return _IMAGES.split(images.name)[0].partition(".")[0] or "picture"


def _find_images(folder: Path) -> list[Path]:
    # One that lies there packed and unpacked is taken once, unpacked.
    found = {
        path.name.removesuffix(".gz"): path
        for path in sorted(folder.iterdir(), reverse=True)
        if _IMAGES.search(path.name) and path.is_file()
    }
    if not found:
        raise GraftError(
            "there is no file of pictures in IDX format here; put '…-images-idx3-ubyte.gz' and "
            f"'…-labels-idx1-ubyte.gz' there, or name another source; got '{folder}'"
        )
    # Train and test of one set share their labels; two sets (of EMNIST's six) do not.
    sets = {re.sub("train|test|t10k", "", _derive_prefix(path)) for path in found.values()}
    if len(sets) > 1:
        raise GraftError(
            f"'{folder}' holds several sets of pictures; name the file of one as the source; "
            f"got {', '.join(sorted(found))}"
        )
    return sorted(found.values())


def _find_labels(images: Path) -> Path:
    name, count = _IMAGES.subn(lambda found: _name_labels(found[0]), images.name)
    if not images.is_file() or not count:
        what = "name its labels too" if images.is_file() else "give one that exists"
        raise GraftError(
            "pictures in IDX format are a folder or a file such as 't10k-images-idx3-ubyte.gz'; "
            f"{what}; got '{images}'"
        )
    expected = images.with_name(name.removesuffix(".gz"))
    for path in (expected, expected.with_name(f"{expected.name}.gz")):
        if path.is_file():
            return path
    raise GraftError(
        f"the labels of '{images.name}' are missing; put '{expected.name}' or "
        f"'{expected.name}.gz' beside it; got '{images.parent}'"
    )


def _name_labels(part: str) -> str:
    return part.lower().replace("images", "labels").replace("idx3", "idx1")
