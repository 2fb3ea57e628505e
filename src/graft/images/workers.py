"""Work on untrusted bytes, in processes that may hang, crash or run out of memory.

A decoder written in C that runs wild cannot be stopped from within its process. So every worker
is a process with a pipe of its own, and what it takes with it is the one item it works on.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing
from itertools import chain
from queue import SimpleQueue
from typing import Any

from graft.images.blocks import map_threaded
from graft.images.worker_handle import Worker
from graft.images.worker_process import Failure, Item, Limits

__all__ = ["Failure", "Item", "Limits", "map_isolated"]

# Small items travel together: a worker that waits for the next one does nothing.
_ITEMS_A_BATCH, _BYTES_A_BATCH = 32, 512 * 1024


def map_isolated(
    function: Callable[..., Any], items: Iterable[Item | Failure], workers: int, limits: Limits
) -> Generator[Any, None, None]:
    """Apply a function in processes; what hangs, crashes or eats memory costs one item only.

    An item that breaks a limit or its worker is tried once more, first thing in a fresh worker:
    an earlier item may have spoilt the memory of the old one, or the machine have slept.
    Workers start with the first result that is asked for. They end with the last one, with an
    exception, and when the iterator is closed; if this process is killed, they end by
    themselves within the time limit. They write nothing to the terminal.

    Args:
        function: Called with an item's entries as keyword arguments. It and its results are
            pickled, so it is defined in a module, not in ``__main__``. Workers import that
            module: with a light one they start within a tenth of a second or two.
        items: Drawn in the calling thread, in their order, a bounded number ahead. An entry
            ``data`` holds the bytes. A :class:`Failure` among them is passed on in its place.
        workers: Number of processes.
        limits: Time and memory an item.

    Yields:
        In the order of the items, the result, or a :class:`Failure` if the function raised
        :class:`~graft.images.decoding.PictureError` or broke a limit or its worker.

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
    crew = [Worker(function, limits) for _ in range(workers)]
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
        for worker in crew:
            worker.end()


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
