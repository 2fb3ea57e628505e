"""One run at a time on the same outputs."""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Iterable
from contextvars import ContextVar
from datetime import datetime
from pathlib import Path
from typing import IO

from graft.errors import GraftError
from graft.progress import tell

# Set by `kedro run --wait`.
WAITS: ContextVar[bool] = ContextVar("WAITS", default=False)


class RunLock:
    """Locks folders against other runs; the operating system frees them when a process dies.

    The lock is on an open file (``flock``), so that a process that was killed leaves none behind,
    and a number of a process that was given out again is not taken for the old one.

    Args:
        place: Folder of the lock files.
    """

    def __init__(self, place: Path) -> None:
        self._place = place
        self._files: list[IO[str]] = []

    def acquire(self, folders: Iterable[Path], wait: bool = False) -> None:
        """Lock folders, in one order in all processes, so that no two wait for one another.

        Raises:
            GraftError: If another run has one of them and ``wait`` is not set.
        """
        for folder in sorted(set(folders)):
            self._place.mkdir(parents=True, exist_ok=True)
            name = os.path.relpath(folder, self._place.parent).replace(os.sep, "+")
            file = (self._place / f"{name}.lock").open("a+")
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                self._meet(file, folder, wait)
            self._files.append(file)
            file.truncate(0)
            now = datetime.now().isoformat(" ", "seconds")
            file.seek(0)
            file.write(json.dumps({"pid": os.getpid(), "since": now}))
            file.flush()

    def release(self) -> None:
        """Free what is locked."""
        for file in self._files:
            file.close()
        self._files = []

    def _meet(self, file: IO[str], folder: Path, wait: bool) -> None:
        owner = _read_owner(file)
        if not wait:
            file.close()
            self.release()
            raise GraftError(
                f"another run works in '{folder.parent.name}/{folder.name}' since "
                f"{owner['since']}; wait for it with --wait, or write elsewhere with --params "
                f"dataset=NAME; got process {owner['pid']}"
            )
        tell("Waiting", "for process %s, at work since %s", owner["pid"], owner["since"])
        fcntl.flock(file, fcntl.LOCK_EX)


def _read_owner(file: IO[str]) -> dict[str, str]:
    """Who has the lock; it writes that down a moment after it took it."""
    for _ in range(20):
        file.seek(0)
        try:
            return json.loads(file.read())
        except ValueError:
            time.sleep(0.05)
    return {"pid": "unknown", "since": "a moment ago"}
