"""Catalog type for feature vectors: a folder of Parquet shards, read lazily."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from threading import Lock
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from graft.compute.streams import copy_rows
from graft.datasets.arrays import reserve_disk
from graft.datasets.atomic import LocalDataset

KEY_COLUMNS = ["image_id", "image_sha256", "view"]


@dataclass(frozen=True)
class FeatureBlock:
    """Features of a few pictures.

    Attributes:
        keys: A row a picture with ``image_id``, ``image_sha256`` and ``view`` (int, 0 is the
            picture itself).
        features: Array (n, D), float32.
        origins: Of every row (see :mod:`graft.compute.known_rows`); None if the rows are not to be
            known again.
    """

    keys: pd.DataFrame
    features: np.ndarray
    origins: Sequence[str] | None = None


class FeatureTable:
    """All features of a run, on disk; blocks of rows are read when they are asked for.

    Attributes:
        keys: A row a feature vector, in order of storage: ``image_id``, ``image_sha256``,
            ``view``.
        dimension: Length D of a feature vector.
        blocks: Row ranges ``(start, stop)`` that can be read at the price of one.
    """

    def __init__(self, folder: Path) -> None:
        shards = sorted(folder.glob("*.parquet"))
        self._shards = shards
        self._folder = folder
        self._copy: np.ndarray | None = None
        self._copying = Lock()
        self._places: list[tuple[Path, int]] = []
        self.blocks: list[tuple[int, int]] = []
        start = 0
        for shard in shards:
            metadata = pq.read_metadata(shard)
            for group in range(metadata.num_row_groups):
                stop = start + metadata.row_group(group).num_rows
                self._places.append((shard, group))
                self.blocks.append((start, stop))
                start = stop
        self.keys = pd.concat(
            [pd.read_parquet(shard, columns=KEY_COLUMNS) for shard in shards], ignore_index=True
        )
        self._latest: tuple[int, np.ndarray] = (-1, np.empty(0))
        self.dimension: int = pq.read_schema(shards[0]).field("feature").type.list_size

    def __len__(self) -> int:
        return len(self.keys)

    def read_origins(self) -> list[str]:
        """Origins of all rows; empty if they were not stored."""
        if "origin" not in pq.read_schema(self._shards[0]).names:
            return []
        columns = [pq.read_table(shard, columns=["origin"]).column(0) for shard in self._shards]
        return [origin for column in columns for origin in column.to_pylist()]

    def read_rows(self, rows: np.ndarray) -> np.ndarray:
        """Features (n, D), float32, of rows in any order; a block is in memory at a time.

        Args:
            rows: Row numbers (n,).
        """
        features = np.empty((len(rows), self.dimension), np.float32)
        numbers = np.searchsorted([stop for _, stop in self.blocks], rows, side="right")
        for number in np.unique(numbers):
            here = numbers == number
            features[here] = self.read_block(number)[rows[here] - self.blocks[number][0]]
        return features

    def find_rows(self, image_ids: Sequence[str] | pd.Series) -> np.ndarray:
        """Row numbers (n,) of the pictures themselves, their views left out.

        Raises:
            KeyError: If there is no feature of a picture.
        """
        own = np.flatnonzero(self.keys["view"] == 0)
        return pd.Series(own, index=self.keys["image_id"].iloc[own]).loc[image_ids].to_numpy()

    def read(self, image_ids: Sequence[str] | pd.Series) -> np.ndarray:
        """Features (n, D), float32, of pictures, in their order; their views are left out."""
        return self.read_rows(self.find_rows(image_ids))

    def read_scattered(self, rows: np.ndarray) -> np.ndarray:
        """Features (n, D), float32, of rows in any order, at the price of these rows alone.

        A block of Parquet cannot be read in part: to draw from all of them again and again would
        read everything each time. So the first call copies all features into a nameless file
        beside the folder, in which each row has its place; it is gone with this table.

        Args:
            rows: Row numbers (n,); ascending ones are the cheapest.

        Raises:
            GraftError: If the disk is too small for the copy.
        """
        with self._copying:
            if self._copy is None:
                self._copy = self._lay_out_rows()
        return copy_rows(self._copy, rows)

    def _lay_out_rows(self) -> np.ndarray:
        shape = len(self), self.dimension
        # Not in the system's folder for such files: that is often held in memory.
        with TemporaryFile(dir=self._folder.parent) as file:
            size = shape[0] * shape[1] * np.dtype(np.float32).itemsize
            reserve_disk(file.fileno(), size, self._folder)
            for _, features in self.read_blocks():
                file.write(np.ascontiguousarray(features).data)
            file.flush()
            return np.memmap(file, np.float32, "r", shape=shape)

    def read_block(self, number: int) -> np.ndarray:
        """Features (n, D), float32, of the rows ``blocks[number]``."""
        known, block = self._latest
        if known != number:
            shard, group = self._places[number]
            column = pq.ParquetFile(shard).read_row_group(group, columns=["feature"]).column(0)
            block = column.combine_chunks().flatten().to_numpy().reshape(-1, self.dimension)
            # Whoever asks for rows in order asks for the same block again and again.
            self._latest = number, block
        return block

    def read_blocks(self) -> Iterator[tuple[slice, np.ndarray]]:
        """Go through all features once: row range and features (n, D)."""
        for number, (start, stop) in enumerate(self.blocks):
            yield slice(start, stop), self.read_block(number)


class FeatureShardsDataset(LocalDataset[Iterable[FeatureBlock], FeatureTable]):
    """A folder of Parquet files; each holds up to ``shard_rows`` feature vectors.

    Columns: ``image_id``, ``image_sha256``, ``view``, ``origin`` if the rows have one, and
    ``feature``, a fixed-size list of float32. There is no label and no split in it, so
    relabelling pictures or splitting them anew never computes a feature again.

    Args:
        filepath: The folder.
        shard_rows: Rows a file.
        metadata: Ignored by Kedro; kedro-viz reads it.
    """

    ROW_GROUP_ROWS = 2048

    def __init__(
        self, *, filepath: str, shard_rows: int = 8192, metadata: dict[str, Any] | None = None
    ) -> None:
        super().__init__(filepath=filepath, metadata=metadata)
        self._shard_rows = shard_rows

    def load(self) -> FeatureTable:
        return FeatureTable(self._filepath)

    def save(self, data: Iterable[FeatureBlock]) -> None:
        self._filepath.mkdir(parents=True, exist_ok=True)
        for number, table in enumerate(_regroup(data, self._shard_rows)):
            # Floats of a network look random: dictionaries and compression only cost time.
            pq.write_table(
                table,
                self._filepath / f"shard_{number:05d}.parquet",
                row_group_size=self.ROW_GROUP_ROWS,
                compression="none",
                use_dictionary=False,
            )


def _regroup(blocks: Iterable[FeatureBlock], rows: int) -> Iterator[pa.Table]:
    """Collect small blocks into tables of ``rows`` rows; the last one may be shorter."""
    waiting: list[pa.Table] = []
    for block in blocks:
        waiting.append(_to_table(block))
        while sum(table.num_rows for table in waiting) >= rows:
            whole = pa.concat_tables(waiting)
            yield whole.slice(0, rows).combine_chunks()
            waiting = [whole.slice(rows)]
    if waiting and sum(table.num_rows for table in waiting):
        yield pa.concat_tables(waiting).combine_chunks()


def _to_table(block: FeatureBlock) -> pa.Table:
    keys = pa.Table.from_pandas(block.keys[KEY_COLUMNS], preserve_index=False)
    if block.origins is not None:
        keys = keys.append_column("origin", pa.array(block.origins, pa.string()))
    flat = pa.array(np.ascontiguousarray(block.features, np.float32).ravel())
    feature = pa.FixedSizeListArray.from_arrays(flat, block.features.shape[1])
    return keys.replace_schema_metadata(None).append_column("feature", feature)
