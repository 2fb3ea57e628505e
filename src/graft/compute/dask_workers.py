"""Shards on workers of Dask, which may die: none is lost, none is made twice, none is waited for.

A task gets a shard and leaves a file; what goes through the scheduler is its name. The shard of a
worker that died is given out again. If that one dies as well, the notes of the two say at which
rows they were: was it the same, the row is given to a worker alone, and one that ends this as well
stands out of the work with its reason.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from functools import cache
from itertools import chain, pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import cloudpickle
import dask
from distributed import Client, Future, KilledWorker, LocalCluster

from graft.compute.shards import Function, ShardStore, make_shard
from graft.compute.streams import count_workers
from graft.compute.worker_process import Failure
from graft.compute.workers import keep
from graft.errors import GraftError
from graft.fingerprints import hash_parts
from graft.progress import tell

if TYPE_CHECKING:
    from graft.compute.spreading import Shard

# Shards that are given out before the first is taken in, a worker: enough that none waits.
_AHEAD = 3
# As often a shard may lose its worker without a row to blame.
_CHANCES = 6
_SECONDS_TO_ANSWER = 30
_SETTINGS: dict[str, Any] = {
    # Every death is told, and dealt with here.
    "distributed.scheduler.allowed-failures": 0,
    # A worker that does not answer for so long is taken for dead.
    "distributed.scheduler.worker-ttl": "60s",
    # Decoders are processes of their own, so that a picture that crashes one ends nothing else.
    "distributed.worker.daemon": False,
    "distributed.nanny.pre-spawn-environ": {
        "DASK_LOGGING__DISTRIBUTED": "critical",
        "OMP_NUM_THREADS": 1,
        "MKL_NUM_THREADS": 1,
        "OPENBLAS_NUM_THREADS": 1,
    },
}

# What is open, in the order in which it was opened.
_opened = ExitStack()


def map_shards(
    function: Function,
    shards: Sequence[Shard],
    workers: int | None,
    address: str | None,
    store: ShardStore,
) -> Iterator[list[Any]]:
    """Results of shards, in their order; a bounded number of them is under way at any time.

    Args:
        function: As of :func:`graft.compute.spreading.map_rows`.
        shards: What is to be made; those that are in the store are taken from there.
        workers: Processes on this machine; None for one a processor.
        address: Of a scheduler that runs already; None starts one here.
        store: Where the workers leave shards.

    Raises:
        GraftError: If the scheduler does not answer, the workers do not see the store, or one
            shard loses them again and again.
    """
    client = _connect(workers, address)
    _greet(client, store)
    crew = _Crew(client, function, store)
    ahead = _AHEAD * max(1, _count(client))
    under_way: deque[tuple[Shard, Future | None]] = deque()
    try:
        for shard in shards:
            under_way.append((shard, crew.give_out(shard)))
            if len(under_way) > ahead:
                yield crew.take_in(*under_way.popleft())
        while under_way:
            yield crew.take_in(*under_way.popleft())
    finally:
        # Whoever wants no more, or was stopped by an error, lets nobody work on.
        client.cancel([future for _, future in under_way if future is not None])


class _Crew:
    """Gives shards out to workers, and takes their results in."""

    def __init__(self, client: Client, function: Function, store: ShardStore) -> None:
        self._client, self._store = client, store
        content = cloudpickle.dumps(function)
        name = f"{hash_parts(content)[:32]}.function"
        self._function = str(store.write(name, content).absolute())

    def give_out(self, shard: Shard) -> Future | None:
        """Let a worker make it; None if it is there."""
        if self._store.read(shard.name) is not None:
            return None
        return self._client.submit(
            _work, self._function, shard.rows, str(self._store.folder.absolute()), shard.name,
            key=f"shard-{shard.name[:16]}-{uuid4().hex[:8]}", pure=False, retries=2,
        )  # fmt: skip

    def take_in(self, shard: Shard, future: Future | None) -> list[Any]:
        """Its results, once it is there."""
        for _ in range(_CHANCES):
            if self._is_made(future):
                break
            places = self._store.read_notes(shard.name)
            suspect = next((place for place in places if places.count(place) > 1), None)
            if suspect is not None:
                self._go_round(shard, suspect)
                break
            future = self.give_out(shard)
        results = self._store.read(shard.name)
        if results is None:
            raise GraftError(
                f"{len(shard.rows)} rows lost their worker {_CHANCES} times, at different rows; "
                "give the workers more memory, or set compute.shard_rows lower; got shard "
                f"{shard.name[:16]}"
            )
        return results

    def _is_made(self, future: Future | None) -> bool:
        """Wait for a shard that was given out; False if its worker died."""
        try:
            if future is not None:
                future.result()
        except KilledWorker:
            return False
        return True

    def _go_round(self, shard: Shard, suspect: int) -> None:
        """Make the shard in parts, with the row that may end workers in one of its own."""
        from graft.compute.spreading import Shard

        cuts = (0, suspect, suspect + 1, len(shard.rows))
        parts = [
            Shard(hash_parts(shard.name, start, stop), shard.rows[start:stop])
            for start, stop in pairwise(cuts)
        ]
        before, alone, after = parts
        found = [self.take_in(before, self.give_out(before))] if len(before.rows) else []
        if self._is_made(self.give_out(alone)):
            found.append(self.take_in(alone, None))
        else:
            found.append([Failure("ended three workers, one after the other")])
        found += [self.take_in(after, self.give_out(after))] if len(after.rows) else []
        self._store.keep(shard.name, list(chain.from_iterable(found)))


def _work(function: str, rows: Sequence[Any], folder: str, name: str) -> None:
    """Make a shard; what a worker does."""
    keep()
    make_shard(_load(function), rows, folder, name)


@cache
def _load(path: str) -> Function:
    """The function, once a worker: with the names of a million pictures in it, it is large."""
    function: Function = cloudpickle.loads(Path(path).read_bytes())
    return function


def _silence() -> None:
    """Dask tells of every worker that comes and goes; what matters of it is told here."""
    for name in list(logging.root.manager.loggerDict):
        if name.split(".")[0] == "distributed":
            logging.getLogger(name).setLevel(logging.CRITICAL)


@cache
def _connect(workers: int | None, address: str | None) -> Client:
    """Workers, for all stages until :func:`disconnect`."""
    _silence()
    if address is None:
        count = workers or count_workers()
        with dask.config.set(_SETTINGS):
            cluster = LocalCluster(
                n_workers=count, threads_per_worker=1, processes=True,
                silence_logs=logging.CRITICAL, dashboard_address="127.0.0.1:0",
            )  # fmt: skip
        client = _opened.enter_context(Client(_opened.enter_context(cluster)))
        who = f"{count} of Dask on this machine"
    else:
        try:
            client = Client(address, timeout=_SECONDS_TO_ANSWER)
        except (OSError, TimeoutError, ValueError) as error:
            raise GraftError(
                "compute.address: no scheduler answers there; start one with `dask scheduler` and "
                f"workers with `dask worker {address}`; got '{address}'"
            ) from error
        try:
            client.wait_for_workers(1, timeout=_SECONDS_TO_ANSWER)
        except TimeoutError as error:
            client.close()
            raise GraftError(
                "compute.address: the scheduler there has no worker; start some with `dask worker "
                f"{address}`; got '{address}'"
            ) from error
        _opened.enter_context(client)
        who = f"{_count(client)} of the scheduler at {address}"
    tell("Workers", who)
    tell("", f"{client.dashboard_link} shows what they do")
    return client


def disconnect() -> None:
    """End the workers of this machine, and let go of a scheduler elsewhere."""
    _connect.cache_clear()
    _opened.close()


def _count(client: Client) -> int:
    return len(client.scheduler_info(n_workers=-1)["workers"])


def _greet(client: Client, store: ShardStore) -> None:
    """Make sure that the workers see what this process writes."""
    word = store.write("seen.txt", uuid4().hex.encode())
    seen = client.run(_read, str(word.absolute()))
    if blind := [name for name, content in seen.items() if content != word.read_bytes()]:
        raise GraftError(
            "compute.engine dask: workers must see the project's folder under the same path, as on "
            f"a shared file system; {len(blind)} of {len(seen)} do not see '{store.folder}'"
        )


def _read(path: str) -> bytes | None:
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError:
        return None
