"""Work on untrusted bytes, in processes that may hang, crash or run out of memory.

A decoder written in C that runs wild cannot be stopped from within its process. So every worker
is a process with a pipe of its own, and what it takes with it is the one item it works on.
"""

from __future__ import annotations

import multiprocessing
import pickle
import signal
import sys
import threading
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing, contextmanager
from itertools import chain
from multiprocessing import resource_tracker
from queue import SimpleQueue
from typing import Any

from graft.compute.streams import map_threaded
from graft.compute.worker_process import OUT_OF_MEMORY, OUT_OF_TIME, Failure, Item, Limits, serve
from graft.errors import GraftError

# Not fork: it would copy a process in which TensorFlow's threads may run. Copied is a server that
# has imported what decoders need and nothing else.
_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(["graft.compute.worker_process", "graft.images.decoding"])
_SECONDS_TO_START, _SECONDS_TO_DIE = 120.0, 10.0
# One start or end at a time: a start changes __main__ for a moment, and the end of one process
# may be seen, and its exit code taken, by whoever starts another.
_process_lock = threading.Lock()


class _LostError(Exception):
    """The process is gone; says what the item did to it."""


class Worker:
    """One process after another, each with a pipe; a single thread at a time calls solve."""

    def __init__(
        self,
        function: Callable[..., Any],
        limits: Limits,
        prepare: Callable[[], object] | None = None,
    ) -> None:
        self._function, self._limits, self._prepare = function, limits, prepare
        self._process: Any = None
        self.is_dismissed = False

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
            self.is_dismissed = True
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
        arguments = (pipe, self._function, self._limits, self._prepare)
        process = _CONTEXT.Process(target=serve, args=arguments, daemon=True)
        try:
            with _process_lock, _without_main(), _without_interrupts(), pipe:
                if self.is_dismissed:
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


__all__ = ["Failure", "Item", "Limits", "keep", "map_isolated"]

# Small items travel together: a worker that waits for the next one does nothing.
_ITEMS_A_BATCH, _BYTES_A_BATCH = 32, 512 * 1024

_Crew = list[Worker]
# Whether workers wait for the next call, see `keep`; and those who do, by what they do.
_keeps = False
_waiting: list[tuple[bytes, _Crew]] = []


def keep() -> None:
    """Let workers wait for the next call, from now on, and not end with the last result.

    For a process that is given shard after shard: to start a worker for each took a quarter of the
    time (`python benchmarks/spreading.py --only warm`). The workers end with the process.
    """
    global _keeps
    _keeps = True


def _hire(kind: bytes, make: Callable[[], _Crew]) -> _Crew:
    """Workers of a kind, who waited or are new; those of other kinds are wanted no more."""
    with _process_lock:
        waiting, _waiting[:] = _waiting[:], []
    found: _Crew | None = None
    for own, crew in waiting:
        if own != kind:
            _end(crew)
        elif found is None:
            found = crew
        else:  # of a thread beside this one, which will ask for it
            _waiting.append((own, crew))
    return found or make()


def _end(crew: _Crew) -> None:
    for worker in crew:
        worker.end()


def map_isolated(
    function: Callable[..., Any],
    items: Iterable[Item | Failure],
    workers: int,
    limits: Limits,
    prepare: Callable[[], object] | None = None,
) -> Generator[Any, None, None]:
    """Apply a function in processes; what hangs, crashes or eats memory costs one item only.

    An item that breaks a limit or its worker is tried once more, first thing in a fresh worker:
    an earlier item may have spoilt the memory of the old one, or the machine have slept.
    Workers start with the first result that is asked for. They end with the last one (unless
    :func:`keep` was called), with an exception, and when the iterator is closed; if this process
    is killed, they end by themselves within the time limit. They write nothing to the terminal.

    Args:
        function: Called with an item's entries as keyword arguments. It and its results are
            pickled, so it is defined in a module, not in ``__main__``. Workers import that
            module: with a light one they start within a tenth of a second or two.
        items: Drawn in the calling thread, in their order, a bounded number ahead. An entry
            ``data`` holds the bytes. A :class:`Failure` among them is passed on in its place.
        workers: Number of processes.
        limits: Time and memory an item.
        prepare: Called once in every process before its first item, at no item's expense: it
            loads what the function loads when it is first called.

    Yields:
        In the order of the items, the result, or a :class:`Failure` if the function raised
        :class:`~graft.errors.PictureError` or broke a limit or its worker.

    Raises:
        GraftError: If no worker can start.
        Exception: Any other that the function raises, in its turn.

    Examples:
        >>> from functools import partial
        >>> from graft.images.decoding import decode_picture
        >>> decode = partial(decode_picture, image_size=8, max_pixels=1_000_000)
        >>> next(map_isolated(decode, [{"data": b""}], workers=1, limits=Limits(10.0, 500)))
        Failure(reason='empty file (0 bytes)')
    """
    kind = pickle.dumps((function, limits, prepare, workers)) if _keeps else b""
    crew = _hire(kind, lambda: [Worker(function, limits, prepare) for _ in range(workers)])
    idle: SimpleQueue[Worker] = SimpleQueue()
    for worker in crew:
        idle.put(worker)

    def solve(batch: list[Item | Failure]) -> list[Any]:
        worker = idle.get()
        try:
            return worker.solve(batch)
        finally:
            idle.put(worker)

    def dismiss() -> None:
        # Who is idle owes no answer, and may wait for other questions.
        if not (_keeps and idle.qsize() == len(crew)):
            for worker in crew:
                worker.dismiss()

    batches = map_threaded(solve, _batch(items), workers, ahead=2, before_exit=dismiss)
    try:
        with closing(batches):
            for result in chain.from_iterable(batches):
                if isinstance(result, Exception):
                    raise result
                yield result
    finally:
        if _keeps and not any(worker.is_dismissed for worker in crew):
            _waiting.append((kind, crew))
        else:
            _end(crew)


def _batch(items: Iterable[Item | Failure]) -> Iterator[list[Item | Failure]]:
    batch: list[Item | Failure] = []
    size = 0
    for item in items:
        batch.append(item)
        size += 0 if isinstance(item, Failure) else len(item["data"])
        if len(batch) == _ITEMS_A_BATCH or size >= _BYTES_A_BATCH:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch
