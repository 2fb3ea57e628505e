"""SHA-256 of files: the one store of them, behind receipts, plan, ledger and sources of pictures.

A file is read to be hashed once a run, and again only where its own record at the operating
system differs.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import time
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

Stamp = tuple[int, int, int, int, int]

# A file written in the tick of the clock in which its time was read could be written once more
# in the same tick: it is remembered only when it is older than this, in seconds.
_SETTLED = 0.1
# The five numbers of a stamp and a hash.
_ENTRY = re.compile(r"(-?\d+ ){5}\w+")


class Identity(NamedTuple):
    """One state of a file, or of what lies in an archive.

    Attributes:
        name: Absolute path; of a member of an archive, the archive's with ``//`` and its name.
        stamp: Of the file or the archive.
    """

    name: str
    stamp: Stamp


def stamp(path: str | os.PathLike[str] | int) -> Stamp:
    """What tells that a file was not touched: device, inode, size, mtime and ctime.

    The times of a file can be set back by anyone, its ctime by nobody short of an
    administrator who sets the clock; where a file system gives neither inode nor ctime
    (FAT, some network drives), a file altered with its size and mtime restored goes unnoticed.

    Args:
        path: Of the file, or the descriptor of an open one.
    """
    facts = os.stat(path)
    return facts.st_dev, facts.st_ino, facts.st_size, facts.st_mtime_ns, facts.st_ctime_ns


def identify(path: Path) -> Identity:
    """The state in which a file is now.

    Raises:
        OSError: If there is none.
    """
    return Identity(os.path.abspath(path), stamp(path))


class FileHashes:
    """Hashes of files by name and stamp, kept in one JSON file between runs.

    A missing or damaged file of hashes only costs time: everything is read again. Of a million
    pictures there are a million entries: each is one text, its stamp before its hash.

    Args:
        place: The JSON file; None keeps nothing.
    """

    def __init__(self, place: Path | None = None) -> None:
        self.reopen(place)

    def reopen(self, place: Path | None = None) -> None:
        """Forget all, and know what another JSON file says: a run begins."""
        self._place = place
        self._entries: dict[str, str] = {}
        try:
            table = json.loads(place.read_text()) if place else {}
            if all(map(_ENTRY.fullmatch, table.values())):
                self._entries = table
        except (OSError, ValueError, AttributeError, TypeError):
            pass
        self._is_changed, self._kept = False, len(self._entries)

    def find(self, state: Identity) -> str | None:
        """The hash of a file or member in this state; None if it must be read."""
        entry, wanted = self._entries.get(state.name), _write_stamp(state.stamp)
        return entry[len(wanted) :] if entry is not None and entry.startswith(wanted) else None

    def add(self, state: Identity, sha256: str) -> None:
        """Remember the hash of what was read and was in this state before and after.

        What was written a moment ago is not remembered: it may be written again unnoticed.
        """
        if time.time_ns() - max(state.stamp[3:]) > _SETTLED * 1e9:
            self._remember(state, sha256)

    def hash(self, path: Path, is_ours: bool = False) -> str:
        """SHA-256 of a file, in hexadecimal.

        Args:
            path: The file.
            is_ours: Whether nobody but this program writes it, while it holds the lock. Then it
                is remembered however new it is.

        Raises:
            OSError: If it cannot be read.
        """
        before = identify(path)
        found = self.find(before)
        if found is None:
            with path.open("rb") as file:
                found = hashlib.file_digest(file, "sha256").hexdigest()
            if is_ours:
                self._remember(before, found)
            elif identify(path) == before:
                self.add(before, found)
        return found

    def follow(self, old: Path, new: Path) -> None:
        """Know a file of ours under its new name: to rename it changes its ctime alone."""
        now, entry = identify(new), self._entries.pop(os.path.abspath(old), None)
        if entry is not None and entry.startswith(_write_stamp(now.stamp[:4])):
            self._remember(now, entry.rpartition(" ")[2])

    def save(self) -> None:
        """Write what is known of files that are there, in one step; a full disk only costs time."""
        now = time.time_ns()
        rows = {
            path: entry
            for path, entry in self._entries.items()
            if now - max(map(int, entry.split()[3:5])) > _SETTLED * 1e9 and os.path.lexists(path)
        }
        if self._place is None or (not self._is_changed and len(rows) == self._kept):
            return
        draft = self._place.with_name(f"{self._place.name}.draft-{os.getpid()}")
        try:
            self._place.parent.mkdir(parents=True, exist_ok=True)
            # Without an indent: with one, the encoder is written in Python.
            draft.write_text(json.dumps(rows))
            os.replace(draft, self._place)
        except OSError:
            draft.unlink(missing_ok=True)

    def _remember(self, state: Identity, sha256: str) -> None:
        self._entries[state.name] = _write_stamp(state.stamp) + sha256
        self._is_changed = True


def _write_stamp(stamp: Iterable[int]) -> str:
    return "".join(f"{number} " for number in stamp)


# What this process has read. A run reopens it where hashes of the last run are kept.
HASHES = FileHashes()
