"""A project that tests look at together."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class FinishedRun:
    """A project in which ``kedro run --env=test`` has ended, and what that printed.

    Attributes:
        project: Its folder, for all tests of all workers: who changes anything takes a copy.
        out: Standard output.
        err: Standard error.
    """

    project: Path
    out: str
    err: str
