"""Catalog types for NumPy arrays."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path

import numpy as np

from graft.compute.known_rows import TracedRows
from graft.compute.streams import RowStream
from graft.datasets.atomic import LocalDataset
from graft.errors import GraftError


class NumpyArrayDataset(LocalDataset[np.ndarray | RowStream, np.ndarray]):
    """A ``.npy`` file: loaded as a read-only memory map, saved whole or row by row.

    A :class:`~graft.compute.streams.RowStream` is written as its rows arrive, each to its place,
    so the array never stands in memory. A stream that the disk has no room for is refused before
    its first row is made. Its origins follow in the same file as a second array, which
    :func:`numpy.load` leaves alone: rows and origins are replaced in one step.
    """

    def load(self) -> np.ndarray:
        return np.load(self._filepath, mmap_mode="r", allow_pickle=False)

    def save(self, data: np.ndarray | RowStream) -> None:
        if not isinstance(data, RowStream):
            with self._filepath.open("wb") as file:
                np.save(file, data, allow_pickle=False)
        else:
            self._save_rows(data)

    def _save_rows(self, data: RowStream) -> None:
        dtype, missing = np.dtype(data.dtype), set(range(data.shape[0]))
        with self._filepath.open("wb") as file:
            header = {
                "descr": np.lib.format.dtype_to_descr(dtype),
                "fortran_order": False,
                "shape": data.shape,
            }
            np.lib.format.write_array_header_1_0(file, header)
            file.flush()
            start, row_bytes = file.tell(), dtype.itemsize * int(np.prod(data.shape[1:]))
            reserve_disk(file.fileno(), start + row_bytes * data.shape[0], self._filepath)
            for number, row in data.rows:
                if number not in missing or np.shape(row) != data.shape[1:]:
                    raise ValueError(
                        f"rows 0 to {data.shape[0] - 1} must come once each, of shape "
                        f"{data.shape[1:]}; got row {number} of shape {np.shape(row)}"
                    )
                missing.remove(number)
                content = np.ascontiguousarray(row, dtype).tobytes()
                os.pwrite(file.fileno(), content, start + row_bytes * number)
            if data.origins is not None:
                file.seek(0, os.SEEK_END)
                np.save(file, np.array(data.origins, dtype="S64"), allow_pickle=False)
        if missing:
            raise ValueError(f"{len(missing)} rows never came; the first is {min(missing)}")


def reserve_disk(descriptor: int, size: int, path: Path) -> None:
    """Give a file its size; on a disk that is too small nothing is left of it.

    Args:
        descriptor: Of the file, open for writing.
        size: In bytes.
        path: What it is called, or what it is made from; on the same disk.

    Raises:
        GraftError: If the disk is too small.
    """
    free = shutil.disk_usage(path.parent).free
    try:
        if free < size:
            raise OSError(errno.ENOSPC, "too small")
        if hasattr(os, "posix_fallocate"):
            # Takes the blocks now: no other program can have them while the rows come.
            os.posix_fallocate(descriptor, 0, size)
        else:
            os.ftruncate(descriptor, size)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise GraftError(
            f"the disk is too small for '{_final_name(path)}': it needs "
            f"{size / 1e6:,.1f} MB; free some space, or let the data folder be on another "
            f"disk; got {free / 1e6:,.1f} MB free"
        ) from error


def _final_name(path: Path) -> str:
    """The name that a draft of :class:`AtomicDataset` will have."""
    return path.name.removeprefix(".").partition(".draft-")[0]


class TracedArrayDataset(LocalDataset[RowStream, TracedRows]):
    """A ``.npy`` file of :class:`NumpyArrayDataset`, loaded with the origins of its rows.

    In an array without them no row is ever known again.
    """

    def load(self) -> TracedRows:
        rows = np.lib.format.open_memmap(self._filepath, mode="r")
        with self._filepath.open("rb") as file:
            end = file.seek(0, os.SEEK_END)
            if file.seek(rows.offset + rows.nbytes) == end:
                return TracedRows(rows, [])
            return TracedRows(rows, np.load(file, allow_pickle=False).astype(str).tolist())

    def save(self, data: RowStream) -> None:
        NumpyArrayDataset(filepath=str(self._filepath)).save(data)


class WeightsDataset(LocalDataset[dict[str, np.ndarray], dict[str, np.ndarray]]):
    """Named weights of a network in an ``.npz`` file: plain arrays, no code, no pickle."""

    def load(self) -> dict[str, np.ndarray]:
        with np.load(self._filepath, allow_pickle=False) as archive:
            return dict(archive)

    def save(self, data: dict[str, np.ndarray]) -> None:
        with self._filepath.open("wb") as file:
            np.savez(file, allow_pickle=False, **data)
