"""What a process does that decodes untrusted bytes for :mod:`graft.images.workers`."""

from __future__ import annotations

import os
import resource
import signal
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from graft.images.decoding import PictureError, list_formats

Item = Mapping[str, Any]
# How a process ends that ran out of something.
OUT_OF_MEMORY = 86
OUT_OF_TIME = -signal.SIGALRM
# The parent ends what takes too long; the alarm does if the parent is gone or late itself.
_SECONDS_OF_GRACE = 1.0


@dataclass(frozen=True)
class Failure:
    """Stands in the place of a result.

    Attributes:
        reason: What was wrong, for a person.
        item: What was given, if it broke a limit or its worker.
    """

    reason: str
    item: Item | None = field(default=None, repr=False, compare=False)


@dataclass(frozen=True)
class Limits:
    """What one item may take.

    Attributes:
        seconds_per_picture: Time, from when its worker turns to it.
        memory_mb: Memory, in MiB above what the worker takes when idle. Linux enforces it;
            macOS does not.
    """

    seconds_per_picture: float
    memory_mb: int


def serve(pipe: Connection, function: Callable[..., Any], limits: Limits) -> None:
    """Say that it is ready; then answer every batch of items, item by item, until none comes."""
    _withdraw()
    list_formats()  # loads the decoders, at nobody's expense
    most_bytes = _measure_memory() + limits.memory_mb * 2**20
    pipe.send(None)
    # The parent ended: nobody wants the rest.
    with suppress(EOFError, ConnectionError):
        while True:
            batch: Sequence[Item | Failure] = pipe.recv()
            for item in batch:
                if isinstance(item, Failure):
                    pipe.send(item)
                    continue
                with _alarm(limits.seconds_per_picture + _SECONDS_OF_GRACE):
                    result = _apply(function, item, most_bytes)
                pipe.send(result)


def _apply(function: Callable[..., Any], item: Item, most_bytes: int) -> Any:
    try:
        with _memory_limit(most_bytes):
            return function(**item)
    except MemoryError:
        # A fresh process follows: what this one still holds would count against the next item.
        os._exit(OUT_OF_MEMORY)
    except PictureError as error:
        return Failure(str(error))
    except Exception as error:
        error.add_note("".join(traceback.format_exception(error)))
        return error


def _withdraw() -> None:
    """Leave the terminal to the parent, leave no core file, and be the first to go."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in (1, 2):
        os.dup2(nowhere, stream)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    # When memory runs out, Linux ends the process with the highest score.
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")


def _measure_memory() -> int:
    """Bytes of data that the process holds now, as Linux counts them for RLIMIT_DATA."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[5])
    except OSError:
        return 0
    return pages * resource.getpagesize()


@contextmanager
def _memory_limit(most_bytes: int) -> Iterator[None]:
    if sys.platform != "linux":
        yield
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    # Infinity is -1; a limit that the user or the system has set stays.
    lowest = min(limit for limit in (most_bytes, soft, hard) if limit != resource.RLIM_INFINITY)
    resource.setrlimit(resource.RLIMIT_DATA, (lowest, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))


@contextmanager
def _alarm(seconds: float) -> Iterator[None]:
    """The kernel ends the process then, whatever it is doing."""
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
