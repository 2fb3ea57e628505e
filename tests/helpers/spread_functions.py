"""Functions of rows, for workers: they are known by their module."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path


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
