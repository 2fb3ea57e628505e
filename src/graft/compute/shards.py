"""Shards: results of some rows, written by whoever made them, on storage that all see.

A shard is one file. It gets its name, which holds the SHA-256 of its content, when it is whole and
on the disk: what was cut short or altered counts as absent. So a shard is either there or to be
made, and it makes no difference who made it, when, or how often.
"""

from __future__ import annotations

import hashlib
import os
import pickle
import shutil
import struct
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

# Of rows, in their order, one result each.
Function = Callable[[Sequence[Any]], Iterable[Any]]
_PLACE = struct.Struct("<q")


class ShardStore:
    """A folder of shards, and of notes by those who work on them.

    Args:
        folder: On storage that all workers see; it is made when it is first written to.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def read(self, name: str) -> list[Any] | None:
        """Results of a shard; None if it is not there or not whole.

        Args:
            name: Digest of all that they are made of.
        """
        for path in self.folder.glob(f"{name[:32]}.*.shard"):
            content = path.read_bytes()
            if path.name == _name_file(name, content):
                results: list[Any] = pickle.loads(content)
                return results
        return None

    def keep(self, name: str, results: Sequence[Any]) -> None:
        """Write a shard; whoever reads it sees the whole of it or nothing."""
        content = pickle.dumps(list(results), protocol=5)
        self.write(_name_file(name, content), content)

    def write(self, name: str, content: bytes) -> Path:
        """Write a file of this name in one step."""
        self.folder.mkdir(parents=True, exist_ok=True)
        draft = self.folder / f".draft-{uuid4().hex}"
        try:
            with draft.open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            os.replace(draft, self.folder / name)
        finally:
            draft.unlink(missing_ok=True)
        return self.folder / name

    def clear(self) -> None:
        """Remove all of it: its results are where they belong."""
        shutil.rmtree(self.folder, ignore_errors=True)

    @contextmanager
    def take_notes(self, name: str) -> Iterator[Callable[[int], None]]:
        """A function that writes down at which row a worker is; gone with the ``with`` block.

        Only a worker that dies leaves its note behind: :meth:`read_notes`.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / f"{name[:32]}.{uuid4().hex}.note"
        with path.open("wb", buffering=0) as file:

            def note(place: int) -> None:
                os.pwrite(file.fileno(), _PLACE.pack(place), 0)

            yield note
        path.unlink()

    def read_notes(self, name: str) -> list[int]:
        """Places of the rows at which workers died, in no order."""
        notes = (path.read_bytes() for path in self.folder.glob(f"{name[:32]}.*.note"))
        return [_PLACE.unpack(note)[0] for note in notes if len(note) == _PLACE.size]


def make_shard(function: Function, rows: Sequence[Any], folder: str, name: str) -> None:
    """Apply a function to rows and write the shard, unless it is there: what a worker does.

    Args:
        function: Of rows; it may yield its results one by one.
        rows: Of the shard.
        folder: Of the store.
        name: Of the shard.
    """
    store = ShardStore(Path(folder))
    if store.read(name) is not None:
        return
    with store.take_notes(name) as note:
        results: list[Any] = []
        note(0)
        for result in function(rows):
            results.append(result)
            note(len(results))
        if len(results) != len(rows):
            raise ValueError(f"a result a row is wanted; got {len(results)} of {len(rows)} rows")
        store.keep(name, results)


def _name_file(name: str, content: bytes) -> str:
    return f"{name[:32]}.{hashlib.sha256(content).hexdigest()}.shard"
