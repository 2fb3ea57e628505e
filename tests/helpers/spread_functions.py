"""Functions of rows, for workers: they are known by their module."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cloudpickle

from graft.compute.shards import Function, ShardStore, make_shard
from graft.compute.spreading import Shard


@dataclass(frozen=True)
class Squares:
    """Squares numbers, and writes down in a folder which ones.

    Attributes:
        folder: A file a row and time that it is worked on.
        ends: A row that ends the worker, always.
        ends_once: A row that ends the worker the first time.
    """

    folder: Path
    ends: int | None = None
    ends_once: int | None = None

    def __call__(self, rows: Sequence[int]) -> Iterator[int]:
        for row in rows:
            before = len(list(self.folder.glob(f"{row}.*")))
            (self.folder / f"{row}.{before}").touch()
            if row == self.ends or (row == self.ends_once and before == 0):
                os.kill(os.getpid(), signal.SIGKILL)
            yield row**2

    def count(self, row: int) -> int:
        """How often a row was worked on."""
        return len(list(self.folder.glob(f"{row}.*")))


class WorkersHere:
    """Takes the place of Dask's workers: the same files and shards, in this process.

    Attributes:
        made: Rows of the shards that were worked on.
        stop_after: Shards after which the run is killed; None for never.
    """

    def __init__(self) -> None:
        self.made: list[Sequence[Any]] = []
        self.stop_after: int | None = None

    def map_shards(
        self,
        function: Function,
        shards: Sequence[Shard],
        workers: int | None,
        address: str | None,
        store: ShardStore,
    ) -> Iterator[list[Any]]:
        """As :func:`graft.compute.dask_workers.map_shards`."""
        content = cloudpickle.dumps(function)
        for shard in shards:
            if store.read(shard.name) is None:
                if len(self.made) == self.stop_after:
                    raise KeyboardInterrupt
                self.made.append(shard.rows)
                make_shard(cloudpickle.loads(content), shard.rows, str(store.folder), shard.name)
            results = store.read(shard.name)
            assert results is not None
            yield results
