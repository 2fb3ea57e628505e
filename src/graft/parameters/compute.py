"""Where the rows of a stage are worked on."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import PositiveInt

from graft.parameters.base import StageParameters


class ComputeParameters(StageParameters):
    """Where rows are worked on; what comes of it is the same bytes.

    Attributes:
        engine: ``serial``: in this process, with its threads and decoders; ``dask``: on workers.
        workers: Of Dask on this machine; null for one a processor.
        shard_rows: Rows that a worker gets at once.
        address: Of a scheduler of Dask that runs already, ``tcp://HOST:8786``; null starts one
            here.
    """

    not_fingerprinted: ClassVar[frozenset[str]] = frozenset(
        {"engine", "workers", "shard_rows", "address"}
    )

    engine: Literal["serial", "dask"] = "serial"
    workers: PositiveInt | None = None
    shard_rows: PositiveInt = 256
    address: str | None = None


# As in the configuration of the project, for whoever calls a node by itself.
HERE = ComputeParameters()
