"""Every file of a source read, hashed and checked: here, or by workers elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, fields, replace
from itertools import islice
from operator import attrgetter

import numpy as np
import pandas as pd

from graft.compute.shards import ShardStore
from graft.compute.spreading import Spread, map_rows
from graft.compute.streams import count_workers
from graft.compute.workers import Failure, Limits, map_isolated
from graft.images.checking import PictureFacts, describe_unusable
from graft.images.decoding import list_formats
from graft.parameters.compute import HERE, ComputeParameters
from graft.pipelines.ingestion.parameters import IngestionParameters
from graft.progress import track
from graft.sources.new_pictures import File, Hashes, NewPicture, NewPictures, read_files
from graft.sources.source import ImageSource

FACTS = [column.name for column in fields(PictureFacts)]
_list_facts = attrgetter(*FACTS)
_BLOCK_ROWS = 4096
# Stated types: a column of nothing but missing values would have none.
_TYPES = {"width": "Int32", "height": "Int32", "bytes": "int64"}
_TYPES |= dict.fromkeys(["brightness", "contrast", "red", "green", "blue"], "float32")
_TYPES |= dict.fromkeys(["value_low", "value_high"], "float64")


def collect_facts(
    source: ImageSource,
    previous: pd.DataFrame | None,
    check: Callable[..., PictureFacts],
    recipe: str,
    parameters: IngestionParameters,
    compute: ComputeParameters = HERE,
    store: ShardStore | None = None,
) -> tuple[pd.DataFrame, int]:
    """Read and hash every file, and decode those whose content nobody has described yet.

    What could not be read, or broke a limit of time or memory, has no origin: the next run
    tries it again, for the machine may have been the reason.

    Args:
        source: The pictures.
        previous: ``checked_images`` of the last run; None before the first.
        check: Bytes and crop to facts.
        recipe: Digest of all that the facts are made of, but the content.
        parameters: Limits and workers.
        compute: Where files are read and pictures decoded.
        store: Where workers leave facts, if there are any.

    Returns:
        The records with the columns of :class:`~graft.images.checking.PictureFacts` and
        ``origin``; and how many pictures were decoded.
    """
    is_known = previous is not None and {*FACTS, "origin"} <= {*previous.columns}
    known = previous if previous is not None and is_known else _make_table(())
    reading = NewPictures(source, recipe, known["origin"].tolist())
    limits = Limits(parameters.seconds_per_picture, parameters.memory_mb)
    if compute.engine == "serial" or store is None:
        workers = parameters.workers or count_workers()
        results = map_isolated(
            check, reading.read("checking"), workers, limits, prepare=list_formats
        )
        with closing(results):
            found = _make_table(_describe(result, reading.waiting.popleft()) for result in results)
    else:
        checker = CheckRows(source.read_hashed, check, limits)
        found = _make_table(
            _check_elsewhere(reading, checker, Spread(**compute.model_dump()), store)
        )
    count, rows = len(found), np.asarray(reading.rows)
    del reading
    pool = pd.concat([known[[*FACTS, "origin"]], found], ignore_index=True) if len(known) else found
    if not np.array_equal(rows, np.arange(len(pool))):
        pool = pool.iloc[rows].reset_index(drop=True)
    return pd.concat([source.records.reset_index(drop=True), pool], axis=1), count


def _describe(
    result: PictureFacts | Failure, content: NewPicture
) -> tuple[PictureFacts, str | None]:
    _, origin, sha256 = content
    if not isinstance(result, Failure):
        return replace(result, sha256=sha256), origin
    size = len(result.item["data"]) if result.item else 0
    return describe_unusable(result.reason, sha256, size), None


def _make_table(found: Iterable[tuple[PictureFacts, str | None]]) -> pd.DataFrame:
    """A table of facts as they come: as objects they take five times the memory of its columns."""
    # Given data classes, pandas copies each of them deeply.
    rows = ((*_list_facts(facts), origin) for facts, origin in found)
    types = {name: _TYPES.get(name, "str") for name in (*FACTS, "origin")}
    blocks: list[pd.DataFrame] = []
    while not blocks or len(blocks[-1]) == _BLOCK_ROWS:
        block = pd.DataFrame(list(islice(rows, _BLOCK_ROWS)), columns=list(types))
        blocks.append(block.astype(types))
    return pd.concat(blocks, ignore_index=True)


@dataclass(frozen=True)
class CheckRows:
    """Reads, hashes and checks pictures, in a process of their own, wherever it is called.

    Attributes:
        read_hashed: From a name to the bytes of a file and their SHA-256.
        check: Bytes and crop to facts.
        limits: Of a picture.
    """

    read_hashed: Callable[[str], tuple[bytes, str]]
    check: Callable[..., PictureFacts]
    limits: Limits

    def __call__(self, rows: Sequence[File]) -> Iterator[tuple[PictureFacts, bool]]:
        """Facts of every picture; and whether they are of its content, and no limit's."""
        hashes = Hashes()
        items = read_files(self.read_hashed, rows, hashes)
        results = map_isolated(self.check, items, 1, self.limits, prepare=list_formats)
        with closing(results):
            for result in results:
                content = NewPicture("", "", hashes.popleft())
                facts, origin = _describe(result, content)
                yield facts, origin is not None


def _check_elsewhere(
    reading: NewPictures, checker: CheckRows, spread: Spread, store: ShardStore
) -> Iterator[tuple[PictureFacts, str | None]]:
    """What workers find."""

    def work(
        files: Sequence[File], origins: Sequence[str]
    ) -> Iterator[tuple[tuple[PictureFacts, bool], str | None]]:
        with closing(map_rows(checker, files, origins, spread, store)) as results:
            for result in track(results, len(files), "checking", "pictures"):
                if isinstance(result, Failure):
                    result = describe_unusable(result.reason, None, 0), False
                yield result, result[0].sha256

    for facts, is_sure in reading.read_elsewhere(work):
        content = reading.waiting.popleft()
        yield facts, content.origin if is_sure else None
