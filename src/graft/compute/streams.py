"""Arrays that never stand in memory whole, and threads that never run far ahead."""

from __future__ import annotations

import mmap
import os
from collections import deque
from collections.abc import Callable, Generator, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True)
class RowStream:
    """An array (N, …) that is produced row by row, in any order.

    Attributes:
        shape: Shape of the whole array.
        dtype: Its element type.
        rows: Yields every row number from 0 to N-1 once, with that row's values. Consumed
            once, by whoever stores the array.
        origins: The origin of every row (see :mod:`graft.compute.known_rows`), stored with the
            array; None if the rows are not to be known again.
    """

    shape: tuple[int, ...]
    dtype: str
    rows: Iterable[tuple[int, np.ndarray]]
    origins: Sequence[str] | None = None


def count_workers() -> int:
    """Number of processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def map_threaded(
    function: Callable[[Item], Result],
    items: Iterable[Item],
    workers: int,
    ahead: int = 4,
    before_exit: Callable[[], None] = lambda: None,
) -> Generator[Result, None, None]:
    """Apply a function in threads, keeping the order and a bounded number of items in flight.

    Items are drawn in the calling thread, in their order: a stream that only runs forward can
    feed it. ``ThreadPoolExecutor.map`` would draw all of them at once and hold every result.

    Args:
        function: Applied to every item.
        items: What it is applied to.
        workers: Number of threads.
        ahead: Number of items a worker that may be in flight.
        before_exit: Called once nothing more is wanted, before the threads are waited for: it
            may end what they wait for. Items may still be in the work when it is called.

    Yields:
        The results, in the order of the items.
    """
    pending: deque[Future[Result]] = deque()
    with ThreadPoolExecutor(workers) as pool:
        try:
            for item in items:
                pending.append(pool.submit(function, item))
                if len(pending) > ahead * workers:
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()
        finally:
            for future in pending:
                future.cancel()
            before_exit()


def _are_scattered(rows: slice | np.ndarray) -> bool:
    return not isinstance(rows, slice) and not (len(rows) and (np.diff(rows) == 1).all())


def _span(rows: slice | np.ndarray) -> slice:
    return rows if isinstance(rows, slice) else slice(int(rows[0]), int(rows[-1]) + 1)


def copy_rows(array: np.ndarray, rows: slice | np.ndarray) -> np.ndarray:
    """Copy rows of a memory-mapped array and give the pages back.

    Pages read through a memory map count as the process's memory until they are dropped; a
    pass over a large file would seem, and under a memory limit be, as large as the file.
    """
    # An array of numbers as index copies by itself, and slower than neighbours are copied.
    copy = np.asarray(array[rows]) if _are_scattered(rows) else np.array(array[_span(rows)])
    _give_pages_back(array)
    return copy


def lend_rows(array: np.ndarray, rows: slice | np.ndarray) -> np.ndarray:
    """Rows to be read once, and not written to: neighbours are the array's own memory, not copied.

    A copy of a batch is as much traffic in memory as what sends it to a GPU. Pages of a
    memory-mapped array are given back when the next rows are lent.
    """
    if _are_scattered(rows):
        return copy_rows(array, rows)
    _give_pages_back(array)
    return np.asarray(array[_span(rows)])  # what JAX takes: not a kind of array of its own


def _give_pages_back(array: np.ndarray) -> None:
    if isinstance(array.base, mmap.mmap) and hasattr(mmap, "MADV_DONTNEED"):
        array.base.madvise(mmap.MADV_DONTNEED)
