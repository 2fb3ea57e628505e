"""Arrays that never stand in memory whole, threads that never run far ahead, rows known again.

The origin of a row is a digest of all that it was made of: the content, the parameters, the
code. Rows of one origin are the same bits, whatever the picture is called and wherever it
stands, so a stage takes a row of the last run over if, and only if, the origins agree.
"""

from __future__ import annotations

import mmap
import os
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from graft.fingerprints import hash_parts

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
        origins: The origin of every row (see :mod:`graft.compute.streams`), stored with the
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


def copy_rows(array: np.ndarray, rows: slice | np.ndarray) -> np.ndarray:
    """Copy rows of a memory-mapped array and give the pages back.

    Pages read through a memory map count as the process's memory until they are dropped; a
    pass over a large file would seem, and under a memory limit be, as large as the file.
    """
    copy = np.array(array[rows])
    if isinstance(array.base, mmap.mmap) and hasattr(mmap, "MADV_DONTNEED"):
        array.base.madvise(mmap.MADV_DONTNEED)
    return copy


_BYTES_A_BLOCK = 8 * 2**20


@dataclass(frozen=True)
class TracedRows:
    """An array (N, …) of the last run, and where its rows come from.

    Attributes:
        rows: The array, usually memory-mapped.
        origins: Of every row; empty if they are not known.
    """

    rows: np.ndarray
    origins: Sequence[str]


def find_known(origins: Sequence[str], known: Sequence[str]) -> np.ndarray:
    """Where each origin stands among known ones.

    Returns:
        Row numbers of ``known`` (N,), int64; -1 for a new origin.

    Examples:
        >>> find_known(["b", "new"], known=["a", "b"]).tolist()
        [1, -1]
    """
    row_of = {origin: row for row, origin in enumerate(known)}
    found = (row_of.get(origin, -1) for origin in origins)
    return np.fromiter(found, dtype=np.int64, count=len(origins))


def copy_known(previous: TracedRows, found: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
    """The known rows of a new array, taken over from the previous one.

    Args:
        previous: What the last run left.
        found: Of :func:`find_known`.

    Yields:
        Row number in the new array and its values, in the order of the previous array; a block
        of a few megabytes is in memory at a time.
    """
    rows = np.flatnonzero(found >= 0)
    rows = rows[np.argsort(found[rows], kind="stable")]
    step = _count_rows_a_block(previous.rows)
    for start in range(0, len(rows), step):
        some = rows[start : start + step]
        yield from zip(some.tolist(), copy_rows(previous.rows, found[some]), strict=True)


def trace_results(origins: Iterable[str], recipe: str) -> list[str]:
    """Origins of what is made of every row by itself.

    Args:
        origins: Of the rows: no row need be read to tell it from another.
        recipe: Digest of all else that the results are made of.
    """
    return [hash_parts(origin, recipe) for origin in origins]


def _count_rows_a_block(array: np.ndarray) -> int:
    return max(1, _BYTES_A_BLOCK * len(array) // max(1, array.nbytes))
