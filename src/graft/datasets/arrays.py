"""Catalog types for NumPy arrays."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
from kedro.io import AbstractDataset

from graft.images.blocks import RowStream


class NumpyArrayDataset(AbstractDataset[np.ndarray | RowStream, np.ndarray]):
    """A ``.npy`` file: loaded as a read-only memory map, saved whole or row by row.

    A :class:`~graft.images.blocks.RowStream` is written as its rows arrive, each to its place,
    so the array never stands in memory.
    """

    def __init__(self, *, filepath: str, metadata: dict[str, Any] | None = None) -> None:
        self._filepath = Path(filepath)
        self.metadata = metadata

    def load(self) -> np.ndarray:
        return np.load(self._filepath, mmap_mode="r", allow_pickle=False)

    def save(self, data: np.ndarray | RowStream) -> None:
        if not isinstance(data, RowStream):
            with self._filepath.open("wb") as file:
                np.save(file, data, allow_pickle=False)
            return
        with self._filepath.open("w+b") as file:
            dtype = np.dtype(data.dtype)
            header = {
                "descr": np.lib.format.dtype_to_descr(dtype),
                "fortran_order": False,
                "shape": data.shape,
            }
            np.lib.format.write_array_header_1_0(file, header)
            file.flush()
            start, row_bytes = file.tell(), dtype.itemsize * int(np.prod(data.shape[1:]))
            os.ftruncate(file.fileno(), start + row_bytes * data.shape[0])
            for number, row in data.rows:
                content = np.ascontiguousarray(row, dtype).tobytes()
                os.pwrite(file.fileno(), content, start + row_bytes * number)

    def _exists(self) -> bool:
        return self._filepath.exists()

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._filepath)}


class WeightsDataset(AbstractDataset[dict[str, np.ndarray], dict[str, np.ndarray]]):
    """Named weights of a network in an ``.npz`` file: plain arrays, no code, no pickle."""

    def __init__(self, *, filepath: str, metadata: dict[str, Any] | None = None) -> None:
        self._filepath = Path(filepath)
        self.metadata = metadata

    def load(self) -> dict[str, np.ndarray]:
        with np.load(self._filepath, allow_pickle=False) as archive:
            return dict(archive)

    def save(self, data: dict[str, np.ndarray]) -> None:
        with self._filepath.open("wb") as file:
            np.savez(file, allow_pickle=False, **data)

    def _exists(self) -> bool:
        return self._filepath.exists()

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._filepath)}
