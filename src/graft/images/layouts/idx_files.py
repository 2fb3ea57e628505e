"""Reading one IDX file strictly: a magic number, the dimensions, then the bytes themselves."""

from __future__ import annotations

import gzip
import math
import os
import struct
import zlib
from io import BufferedIOBase
from pathlib import Path

import numpy as np

from graft.errors import GraftError

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
