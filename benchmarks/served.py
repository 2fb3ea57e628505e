"""A service as a process of its own, and what it takes of the machine."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path


class Served:
    """A service that runs.

    Args:
        command: Of the process; it prints a line ``Ready`` and its address.

    Attributes:
        address: Where it listens.
        seconds: From the command to that line.
    """

    def __init__(self, command: Sequence[str]) -> None:
        begun = time.perf_counter()
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout
        lines = iter(self.process.stdout.readline, "")
        self.address = next(line for line in lines if line.startswith("Ready")).split()[1]
        self.seconds = time.perf_counter() - begun
        # A pipe that nobody empties stops whoever writes into it.
        threading.Thread(target=self.process.stdout.read, daemon=True).start()

    def end(self) -> int:
        """End it as a supervisor does; its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(60)

    def list_decoders(self) -> list[int]:
        """Numbers of the processes that decode for it."""
        # They are copies of a server; Python starts another one beside it that cleans up.
        children = _list_children(self.process.pid)
        servers = [child for child in children if b"forkserver" in _read(child, "cmdline")]
        return [child for server in servers for child in _list_children(server)]

    def read_memory(self) -> float:
        """Resident memory of the process itself, in MB; its decoders are apart."""
        return _weigh(self.process.pid)

    def read_memories(self) -> float:
        """Resident memory of the process and its decoders, in MB."""
        return sum(map(_weigh, [self.process.pid, *self.list_decoders()]))

    def count_processor(self) -> tuple[float, float]:
        """Seconds of the processors that it and its decoders have taken."""
        return _count(self.process.pid), sum(map(_count, self.list_decoders()))


def _read(number: int | str, name: str) -> bytes:
    """What Linux tells of a process; nothing if it has ended."""
    try:
        return Path(f"/proc/{number}/{name}").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return b""


def _list_children(number: int) -> list[int]:
    tasks = Path(f"/proc/{number}/task").iterdir()
    return [int(one) for task in tasks for one in (task / "children").read_text().split()]


def _weigh(number: int) -> float:
    fields = _read(number, "statm").split()
    return int(fields[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6 if fields else 0.0


def _count(number: int) -> float:
    # The name in parentheses may have spaces; user and system time are the 14th and 15th field.
    fields = _read(number, "stat").rpartition(b")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK") if fields else 0.0


@contextlib.contextmanager
def serve(export: Path, *options: str) -> Iterator[Served]:
    """``graft serve`` on a free port, until the block ends."""
    command = [sys.executable, "-m", "graft", "serve", str(export), "--port=0", *options]
    with run_service(command) as served:
        yield served


@contextlib.contextmanager
def run_service(command: Sequence[str]) -> Iterator[Served]:
    """A service until the block ends."""
    served = Served(command)
    try:
        yield served
    finally:
        if served.process.poll() is None:
            served.end()


def read_pictures(folder: Path, count: int) -> list[bytes]:
    """The bytes of the first pictures of a folder."""
    names = sorted(file for file in folder.rglob("*") if file.is_file())
    return [file.read_bytes() for file in names[:count]]
