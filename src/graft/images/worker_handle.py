"""The handle on one worker process: start it, ask it, replace it, say how it ended."""

from __future__ import annotations

import multiprocessing
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing import resource_tracker
from typing import Any

from graft.errors import GraftError
from graft.images.worker_process import OUT_OF_MEMORY, OUT_OF_TIME, Failure, Item, Limits, serve

# Not fork: it would copy a process in which TensorFlow's threads may run.
_CONTEXT = multiprocessing.get_context("spawn")
_SECONDS_TO_START, _SECONDS_TO_DIE = 120.0, 10.0
# One start or end at a time: a start changes __main__ for a moment, and the end of one process
# may be seen, and its exit code taken, by whoever starts another.
_process_lock = threading.Lock()


class _LostError(Exception):
    """The process is gone; says what the item did to it."""


class Worker:
    """One process after another, each with a pipe; a single thread at a time calls solve."""

    def __init__(self, function: Callable[..., Any], limits: Limits) -> None:
        self._function, self._limits = function, limits
        self._process: Any = None
        self._is_dismissed = False

    def solve(self, batch: list[Item | Failure]) -> list[Any]:
        """Results of a batch; exceptions that the function raised are among them."""
        results: list[Any] = []
        while len(results) < len(batch):
            try:
                self._ask(batch[len(results) :], results)
            except _LostError:
                self._try_again(batch[len(results)], results)
        return results

    def dismiss(self) -> None:
        """Kill the process, from any thread; there will not be another."""
        with _process_lock:
            self._is_dismissed = True
            if self._process:
                self._process.kill()

    def end(self, patience: float = 0.0) -> int | None:
        """Wait some seconds for the process to end, then kill it; return its exit code."""
        with _process_lock:
            process, self._process = self._process, None
            if process is None:
                return None
            self._pipe.close()
            process.join(patience)
            process.kill()
            process.join()
            return process.exitcode

    def _try_again(self, item: Any, results: list[Any]) -> None:
        try:
            self._ask([item], results)
        except _LostError as loss:
            results.append(Failure(str(loss), item))

    def _ask(self, batch: list[Item | Failure], results: list[Any]) -> None:
        if not self._process:
            self._start()
        try:
            self._pipe.send(batch)
            for _ in batch:
                if not self._pipe.poll(self._limits.seconds_per_picture):
                    self.end()
                    raise _LostError(_explain(OUT_OF_TIME, self._limits))
                results.append(self._pipe.recv())
        except (EOFError, OSError):
            code = self.end(_SECONDS_TO_DIE)
            raise _LostError(_explain(code, self._limits)) from None

    def _start(self) -> None:
        self._pipe, pipe = _CONTEXT.Pipe()
        arguments = (pipe, self._function, self._limits)
        process = _CONTEXT.Process(target=serve, args=arguments, daemon=True)
        try:
            with _process_lock, _without_main(), _without_interrupts(), pipe:
                if self._is_dismissed:
                    raise _DismissedError
                process.start()
                self._process = process
            is_ready = self._pipe.poll(_SECONDS_TO_START) and self._pipe.recv() is None
        except (EOFError, OSError):
            is_ready = False
        if not is_ready:
            raise GraftError(
                "a process that decodes pictures cannot start; free memory, or set fewer workers; "
                f"got exit code {self.end(_SECONDS_TO_DIE)}"
            )


class _DismissedError(Exception):
    """Nobody waits for the results any more."""


def _explain(exit_code: int | None, limits: Limits) -> str:
    """What an item did to its process, for a person."""
    if exit_code == OUT_OF_TIME:
        seconds = limits.seconds_per_picture
        return f"takes longer to decode than the {seconds:g} s that seconds_per_picture allows"
    if exit_code == OUT_OF_MEMORY:
        return f"takes more memory to decode than the {limits.memory_mb:,} MB that memory_mb allows"
    if exit_code == -signal.SIGKILL:
        return "its decoder was killed, as the system does when memory runs out"
    if exit_code is not None and exit_code < 0:
        return f"crashes its decoder ({signal.strsignal(-exit_code)})"
    return f"ends its decoder (exit code {exit_code})"


@contextmanager
def _without_main() -> Iterator[None]:
    """A process would import the main module of this one again: a second, for Kedro's."""
    main = vars(sys.modules["__main__"])
    told: dict[str, Any] = {name: main[name] for name in ("__spec__", "__file__") if name in main}
    main.update(dict.fromkeys(told))
    try:
        yield
    finally:
        main.update(told)


@contextmanager
def _without_interrupts() -> Iterator[None]:
    """A process inherits that Ctrl-C is not for it, before it could say so itself."""
    # It would let interrupts through again after its own start.
    resource_tracker.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
