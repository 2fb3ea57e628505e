"""Backups of a training: whole or absent, whenever the process is killed.

A backup is one file. Its name holds a running number, the training it belongs to and the SHA-256
of its content, and it gets that name only when it is on the disk. So a file under its name is
whole, unless the disk damaged it, and that the hash shows; the one before is kept for that case.

A training that has ended keeps its last snapshot: the outputs are saved after it, and a run that
is killed in between must not train again. The next training in the folder removes it.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from graft.errors import GraftError
from graft.progress import tell

_NAME = re.compile(r"(\d{8})-([0-9a-f]{16})\.([0-9a-f]{64})\.npz")
_FACTS = "facts"
_KEPT = 2


@dataclass(frozen=True)
class Snapshot:
    """The state of a training between two epochs.

    Attributes:
        fingerprint: Name of the training: settings, data and first weights.
        facts: What JSON can hold: history, state of the callbacks.
        arrays: Weights, optimizer state and seeds, by name.
    """

    fingerprint: str
    facts: dict[str, Any]
    arrays: dict[str, np.ndarray]


class TrainingBackup:
    """A folder for the snapshots of one training at a time.

    Args:
        folder: The folder; it is made when it is first written to.
        seconds: At most one snapshot is written in so many seconds.
        is_forgotten: Whether what is there counts as absent.
    """

    def __init__(self, folder: Path, seconds: float = 2.0, is_forgotten: bool = False) -> None:
        self.folder = folder
        self.seconds = seconds
        self._is_forgotten = is_forgotten

    @property
    def is_forgotten(self) -> bool:
        """Whether what is there counts as absent."""
        return self._is_forgotten

    def enter(self, name: str) -> TrainingBackup:
        """The backup of a part, in a folder of its own below this one.

        What is there is removed if it counts as absent; what is written from then on counts.
        """
        part = TrainingBackup(self.folder / name, self.seconds)
        for path in part.folder.rglob("*.npz") if self._is_forgotten else ():
            if _NAME.fullmatch(path.name):
                path.unlink()
        return part

    @contextmanager
    def hold(self) -> Iterator[None]:
        """Keep every other process off this folder; the system frees it if this one dies.

        Raises:
            GraftError: If another training holds it, or the folder cannot be written.
        """
        with _tell_failures(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(self.folder / "lock", os.O_RDWR | os.O_CREAT, 0o644)
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                holder = os.pread(descriptor, 200, 0).decode(errors="replace").strip()
                raise GraftError(
                    "another run trains into the same folder; wait until it ends, stop it, or "
                    "give this run another output folder with --params dataset=NAME; "
                    f"got '{self.folder}', held by {holder or 'a process that just started'}"
                ) from None
            os.ftruncate(descriptor, 0)
            now = datetime.now().astimezone().isoformat(timespec="seconds")
            os.pwrite(descriptor, f"process {os.getpid()} since {now}\n".encode(), 0)
            self._sweep_drafts()
            yield
        finally:
            os.close(descriptor)

    def load_newest(self, fingerprint: str) -> Snapshot | None:
        """The newest undamaged snapshot of this very training; None to start anew."""
        own, others = self._divide(fingerprint)
        for path in own if not self._is_forgotten else ():
            if (snapshot := _read(path)) is not None:
                return snapshot
            tell("Backup", "'%s' is damaged and removed", path.name)
            path.unlink()
        if others:
            tell(
                "Backup",
                "is of a training with other settings, data or first weights; this one starts anew",
            )
        return None

    def save(self, snapshot: Snapshot) -> None:
        """Write a snapshot; two of this training and one of another stay.

        Raises:
            GraftError: If it cannot be written, for instance because the disk is full.
        """
        self._write(snapshot)
        own, others = self._divide(snapshot.fingerprint)
        for path in own[_KEPT:] + others[1:]:
            path.unlink()

    def finish(self, snapshot: Snapshot) -> None:
        """Write the last snapshot of a training that has ended; no other stays."""
        self._write(snapshot)
        for path in self._list()[1:]:
            path.unlink()

    def _write(self, snapshot: Snapshot) -> None:
        draft = self.folder / f".draft-{os.getpid()}"
        facts = {"fingerprint": snapshot.fingerprint, **snapshot.facts}
        content = np.frombuffer(json.dumps(facts).encode(), np.uint8)
        with _tell_failures(self.folder):
            try:
                with draft.open("wb") as file:
                    np.savez(file, allow_pickle=False, **{_FACTS: content}, **snapshot.arrays)
                    file.flush()
                    os.fsync(file.fileno())
                newest = next(iter(self._list()), None)
                number = int(newest.name[:8]) + 1 if newest else 1
                name = f"{number:08d}-{snapshot.fingerprint[:16]}.{_hash(draft)}.npz"
                os.replace(draft, self.folder / name)
                _sync(self.folder)
            finally:
                draft.unlink(missing_ok=True)

    def _list(self) -> list[Path]:
        """Files of snapshots, the newest first."""
        found = [path for path in self.folder.glob("*.npz") if _NAME.fullmatch(path.name)]
        return sorted(found, reverse=True)

    def _divide(self, fingerprint: str) -> tuple[list[Path], list[Path]]:
        """Snapshots of this training and those of others, the newest first."""
        own: list[Path] = []
        others: list[Path] = []
        for path in self._list():
            (own if path.name[9:25] == fingerprint[:16] else others).append(path)
        return own, others

    def _sweep_drafts(self) -> None:
        for draft in self.folder.glob(".draft-*"):
            draft.unlink()


def _read(path: Path) -> Snapshot | None:
    """The snapshot in a file; None if it is not what was written."""
    with suppress(OSError, ValueError, KeyError):
        if _hash(path) != path.name.split(".")[1]:
            return None
        with np.load(path, allow_pickle=False) as archive:
            arrays = dict(archive)
        facts = json.loads(arrays.pop(_FACTS).tobytes())
        return Snapshot(facts.pop("fingerprint"), facts, arrays)
    return None


def _hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _tell_failures(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise GraftError(
            f"the backup of the training cannot be written ({error.strerror}); free some space "
            f"or make the folder writable, then run again; got '{folder}'"
        ) from error
