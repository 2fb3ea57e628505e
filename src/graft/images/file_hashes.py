"""SHA-256 of files, read again only where a file's own record at the operating system differs."""

from __future__ import annotations

import hashlib
import json
import os
import time
from pathlib import Path

Stamp = tuple[int, int, int, int, int]

# A file written in the tick of the clock in which its time was read could be written once more
# in the same tick: it is remembered only when it is older than this, in seconds.
_SETTLED = 0.1


def stamp(path: Path) -> Stamp:
    """What tells that a file was not touched: device, inode, size, mtime and ctime.

    The times of a file can be set back by anyone, its ctime by nobody short of an
    administrator who sets the clock; where a file system gives neither inode nor ctime
    (FAT, some network drives), a file altered with its size and mtime restored goes unnoticed.
    """
    facts = path.stat()
    return facts.st_dev, facts.st_ino, facts.st_size, facts.st_mtime_ns, facts.st_ctime_ns


class FileHashes:
    """Hashes of files by path and stamp, kept in one JSON file between runs.

    A missing or damaged file of hashes only costs time: everything is read again.

    Args:
        place: The JSON file; None keeps nothing.
    """

    def __init__(self, place: Path | None = None) -> None:
        self._place = place
        self._known: dict[str, tuple[Stamp, str]] = {}
        self._seen: dict[str, tuple[Stamp, str]] = {}
        try:
            table = json.loads(place.read_text()) if place else {}
            self._known = {path: (tuple(row[:5]), row[5]) for path, row in table.items()}
        except (OSError, ValueError, AttributeError, IndexError, TypeError):
            self._known = {}

    def find(self, path: Path) -> str | None:
        """The hash of a file that has not been touched since; None if it must be read."""
        name, now = str(path), stamp(path)
        for table in (self._seen, self._known):
            if name in table and table[name][0] == now:
                self._seen[name] = table[name]
                return table[name][1]
        return None

    def add(self, path: Path, sha256: str) -> None:
        """Remember the hash of a file that was read just now."""
        self._seen[str(path)] = (stamp(path), sha256)

    def hash(self, path: Path) -> str:
        """SHA-256 of a file, in hexadecimal.

        Raises:
            OSError: If it cannot be read.
        """
        found = self.find(path)
        if found is None:
            before = stamp(path)
            with path.open("rb") as file:
                found = hashlib.file_digest(file, "sha256").hexdigest()
            self._seen[str(path)] = (before, found)
        return found

    def save(self) -> None:
        """Write what was asked for in this run, in one step; a full disk only costs time."""
        now = time.time_ns()
        rows = {
            path: [*stamp_, sha256]
            for path, (stamp_, sha256) in {**self._known, **self._seen}.items()
            if now - max(stamp_[3:]) > _SETTLED * 1e9 and os.path.lexists(path)
        }
        if self._place is None or rows == {p: [*s, h] for p, (s, h) in self._known.items()}:
            return
        draft = self._place.with_name(f"{self._place.name}.draft-{os.getpid()}")
        try:
            self._place.parent.mkdir(parents=True, exist_ok=True)
            draft.write_text(json.dumps(rows, indent=0))
            os.replace(draft, self._place)
        except OSError:
            draft.unlink(missing_ok=True)
