"""The file of answers: each is on the disk before anybody is told so, and none is ever changed.

Several processes may write to one file. Whoever writes holds its lock (``flock``, which ends with
the process), has read all that the others wrote, and ends a line that a kill has cut short.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from pathlib import Path

from graft.errors import GraftError
from graft.sources.label_answers import (
    HEADER,
    Answer,
    Picture,
    find_standing,
    format_answer,
    parse_line,
)


class Journal:
    """All answers of a file, those of other processes too once they are asked for.

    Not for several threads at once.

    Args:
        path: The file; it comes into being with the first answer.
        before: What was said elsewhere before all answers of the file, such as a filled list.
    """

    def __init__(self, path: Path, before: Sequence[Answer] = ()) -> None:
        self.path = path
        self._before = list(before)
        self.answers: list[Answer] = []
        # Lines that are no answers.
        self.damaged = 0
        self._known: tuple[int, int] | None = None  # which file was read
        self._read = 0  # bytes of it, up to the end of a line
        self._standing: dict[Picture, list[Answer]] | None = None

    def refresh(self) -> None:
        """Read what has come since; a line without an end is still being written, or cut short.

        Raises:
            GraftError: If the file cannot be read.
        """
        try:
            with self.path.open("rb") as file:
                status = os.fstat(file.fileno())
                this = (status.st_dev, status.st_ino)
                if this != self._known or status.st_size < self._read:
                    self._forget(this)
                file.seek(self._read)
                whole = file.read()
        except FileNotFoundError:
            self._forget(None)
            return
        except OSError as error:
            raise _refuse("read", self.path, error) from error
        whole = whole[: whole.rfind(b"\n") + 1]
        if whole:
            self._take(whole)

    def find_standing(self) -> dict[Picture, list[Answer]]:
        """What holds of each picture, see :func:`graft.sources.label_answers.find_standing`."""
        if self._standing is None:
            self._standing = find_standing([*self._before, *self.answers])
        return self._standing

    def append(self, choose: Callable[[], Sequence[Answer]]) -> Sequence[Answer]:
        """Write answers down; they are on the disk when this returns.

        Args:
            choose: Gives the answers, when all that others have written is known and nobody else
                can write. What it raises is raised, and nothing is written.

        Returns:
            What was written.

        Raises:
            GraftError: If the file cannot be written; it holds then what it held before.
        """
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            is_new = not self.path.exists()
            descriptor = os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o644)
        except OSError as error:
            raise _refuse("written", self.path, error) from error
        with closing(os.fdopen(descriptor, "rb", buffering=0)):
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            self.refresh()
            answers = choose()
            if answers:
                try:
                    _write(descriptor, map(format_answer, answers))
                    if is_new:
                        _sync_folder(self.path.parent)
                except OSError as error:
                    raise _refuse("written", self.path, error) from error
            self.refresh()
        return answers

    def _take(self, whole: bytes) -> None:
        for line in whole.split(b"\n"):
            if answer := parse_line(line):
                self.answers.append(answer)
            elif line.strip() and line.strip() != HEADER.strip():
                self.damaged += 1
        self._read += len(whole)
        self._standing = None

    def _forget(self, this: tuple[int, int] | None) -> None:
        self.answers, self.damaged, self._read, self._standing = [], 0, 0, None
        self._known = this


def _write(descriptor: int, lines: Iterable[bytes]) -> None:
    """Put lines at the end of a locked file and wait for the disk; all of them or none."""
    size = os.fstat(descriptor).st_size
    head = b""
    if not size:
        head = HEADER
    elif os.pread(descriptor, 1, size - 1) != b"\n":
        head = b"\n"  # the line before was cut short
    left = memoryview(head + b"".join(lines))
    try:
        while left:
            left = left[os.write(descriptor, left) :]
        os.fsync(descriptor)
    except OSError:
        os.ftruncate(descriptor, size)
        raise


def _sync_folder(folder: Path) -> None:
    """A new file survives a power cut only if its folder is on the disk too."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _refuse(what: str, path: Path, error: OSError) -> GraftError:
    return GraftError(
        f"answers cannot be {what}; make room or give permission and answer again, what was "
        f"answered before is kept; got {error.strerror or error} for '{path}'"
    )
