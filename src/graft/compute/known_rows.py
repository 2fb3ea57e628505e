"""Rows that are known again: what was made once is taken over, not made again.

The origin of a row is a digest of all that it was made of: the content, the parameters, the
code. Rows of one origin are the same bits, whatever the picture is called and wherever it
stands, so a stage takes a row of the last run over if, and only if, the origins agree.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from graft.compute.streams import copy_rows
from graft.fingerprints import frame_part

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
    ending = frame_part(recipe)  # once, not for every row: `hash_parts(origin, recipe)`
    return [hashlib.sha256(frame_part(origin) + ending).hexdigest() for origin in origins]


def _count_rows_a_block(array: np.ndarray) -> int:
    return max(1, _BYTES_A_BLOCK * len(array) // max(1, array.nbytes))
