"""Rows of a stage spread over workers, on this machine or on many.

Kedro runs the chain; a stage whose rows do not depend on each other hands them to
:func:`map_rows`. Where a row is worked on makes no difference to what comes of it: the results are
the same bytes in the same order.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from importlib.util import find_spec
from typing import Any

from graft.compute.shards import Function, ShardStore
from graft.compute.worker_process import Failure
from graft.errors import GraftError
from graft.fingerprints import hash_parts


@dataclass(frozen=True)
class Spread:
    """Where rows are worked on.

    Attributes:
        engine: ``serial``, in this process, or ``dask``.
        workers: Processes on this machine; None for one a processor.
        shard_rows: Rows that a worker gets at once.
        address: Of a scheduler that runs already, such as ``tcp://10.0.0.1:8786``.
    """

    engine: str = "serial"
    workers: int | None = None
    shard_rows: int = 256
    address: str | None = None

    def align(self, batch_size: int) -> Spread:
        """The same, in shards of whole batches.

        On some processors the last bits of an output depend on its place in a batch: so a row has
        the place that it has in one process.

        Examples:
            >>> [Spread(shard_rows=rows).align(32).shard_rows for rows in (20, 256)]
            [32, 256]
        """
        return replace(self, shard_rows=math.ceil(self.shard_rows / batch_size) * batch_size)


@dataclass(frozen=True)
class Shard:
    """Rows that are worked on together.

    Attributes:
        name: Digest of all that their results are made of.
        rows: In their order.
    """

    name: str
    rows: Sequence[Any]


def end_workers() -> None:
    """End the workers of this process, if there are any."""
    if module := sys.modules.get("graft.compute.dask_workers"):
        module.disconnect()


def map_rows(
    function: Function,
    rows: Sequence[Any],
    origins: Sequence[str],
    spread: Spread,
    store: ShardStore | None = None,
) -> Generator[Any, None, None]:
    """Apply a function to rows, here or elsewhere.

    Args:
        function: From rows to as many results, in their order. Workers get it as a file: it knows
            pictures and networks by paths that all see.
        rows: What it is applied to; sent to the workers.
        origins: Digest of all that the result of each row is made of.
        spread: Where.
        store: Where workers leave what they made, and what a run that was killed had made is
            found; ``serial`` needs none, and a stage stores what it is given by itself.

    Yields:
        The result of every row, in their order; a :class:`~graft.compute.worker_process.Failure`
        in the place of a row that ended the workers that it was given to.

    Raises:
        GraftError: If Dask is not installed, a scheduler does not answer, or its workers do not
            see the store.
        Exception: Any that the function raises.

    Examples:
        >>> list(map_rows(lambda rows: [2 * row for row in rows], [1, 2], ["a", "b"], Spread()))
        [2, 4]
    """
    if not len(rows):
        return
    if spread.engine == "serial" or store is None:
        yield from function(rows)
        return
    if find_spec("distributed") is None:
        raise GraftError(
            "compute.engine dask needs Dask; install it with `pip install -c constraints.txt "
            "-e '.[dask]'`, or set compute.engine to serial; got no module 'distributed'"
        )
    from graft.compute.dask_workers import map_shards

    size = spread.shard_rows
    shards = [
        Shard(hash_parts(*origins[start : start + size]), rows[start : start + size])
        for start in range(0, len(rows), size)
    ]
    for results in map_shards(function, shards, spread.workers, spread.address, store):
        yield from results


def refuse_lost(results: Iterable[Any], names: Sequence[str]) -> Iterator[Any]:
    """The results of :func:`map_rows` for a stage that can leave no row out.

    Args:
        results: Of every row.
        names: Of every row.

    Raises:
        GraftError: At a row that ended the workers that it was given to.
    """
    for name, result in zip(names, results, strict=True):
        if isinstance(result, Failure):
            raise GraftError(
                "compute.engine dask: a picture must pass the network, and the workers that had "
                "this one died; give them more memory, or set compute.engine to serial; got "
                f"'{name}', which {result.reason}"
            )
        yield result
