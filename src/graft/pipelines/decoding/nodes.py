"""Nodes of the decoding stage."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import numpy as np
import pandas as pd

from graft.compute.known_rows import TracedRows, copy_known, find_known
from graft.compute.shards import ShardStore
from graft.compute.spreading import Spread, map_rows
from graft.compute.streams import RowStream, count_workers
from graft.compute.workers import Failure, Item, Limits, map_isolated
from graft.errors import GraftError, PictureError
from graft.fingerprints import fingerprint_code, hash_parts
from graft.images.colours import count_channels
from graft.images.crops import parse_crop
from graft.images.decoding import decode_picture, list_formats
from graft.images.deep_pictures import parse_range
from graft.parameters.compute import HERE, ComputeParameters
from graft.parameters.pictures import DecodingParameters
from graft.progress import tell, track
from graft.sources.source import ImageSource


def decode_images(
    raw_images: ImageSource,
    splits: pd.DataFrame,
    previous_images: TracedRows | None,
    parameters: DecodingParameters,
    compute: ComputeParameters = HERE,
    image_shards: ShardStore | None = None,
) -> tuple[RowStream, pd.DataFrame]:
    """Decode the pictures of ``splits``, as a stream that holds a few of them at a time.

    Pixels of known content are taken over; of equal files one is decoded.

    Args:
        raw_images: The source.
        splits: Columns ``image_id``, ``sha256`` (the content that was checked) and ``value_range``
            (which values of pictures of more than 8 bits become 0 and 255).
        previous_images: What the last run decoded; None before the first.
        parameters: Size and limits.
        compute: Where pictures are decoded.
        image_shards: Where workers leave pixels, if there are any.

    Returns:
        ``images`` (N, H, W, 3), uint8, or (N, H, W, 1) in grey, in the order of ``splits``, with
        the origins of its rows. ``image_origins``: ``image_id`` and ``origin`` of every row, by
        which later stages know pixels again without reading them.
        New pictures are read in the source's own order, in which a compressed archive is
        unpacked once.

    Raises:
        GraftError: If a picture is gone; while the stream is stored, if one has changed since
            it was checked, or breaks a limit.
    """
    pictures = _trace_pictures(raw_images.records, splits, parameters)
    origins = pictures.sort_values("row")["origin"].tolist()
    previous = previous_images or TracedRows(np.empty((0, 0), np.uint8), [])
    found = find_known(origins, previous.origins)
    unknown = pictures[found[pictures["row"]] < 0]
    if previous_images is not None:
        tell(
            "Pixels", "%s pictures decoded, %s known",
            f"{unknown['origin'].nunique():,}", f"{(found >= 0).sum():,}",
        )  # fmt: skip
    size = parameters.image_size
    stream = RowStream(
        shape=(len(splits), size, size, count_channels(parameters.colour)),
        dtype="uint8",
        rows=_chain_rows(raw_images, previous, found, unknown, parameters, compute, image_shards),
        origins=origins,
    )
    named = {"image_id": splits["image_id"].to_numpy(), "origin": origins}
    return stream, pd.DataFrame(named, dtype="str")


def _trace_pictures(
    records: pd.DataFrame, splits: pd.DataFrame, parameters: DecodingParameters
) -> pd.DataFrame:
    """The records of ``splits`` in the source's order, with ``row``, ``sha256``, ``origin``."""
    wanted = splits[["image_id", "sha256"]].assign(row=np.arange(len(splits)))
    ranges = splits["value_range"] if "value_range" in splits else pd.Series(index=splits.index)
    wanted["value_range"] = ranges.astype("object").where(ranges.notna(), None)
    pictures = records.merge(wanted, on="image_id")
    if len(pictures) < len(wanted):
        missing = wanted.loc[~wanted["image_id"].isin(pictures["image_id"]), "image_id"]
        raise _changed(missing.iloc[0], "it is no longer in the source")
    recipe = hash_parts(
        fingerprint_code(decode_picture),
        parameters.image_size,
        parameters.max_pixels,
        parameters.colour,
    )
    contents = zip(pictures["sha256"], pictures["crop"], pictures["value_range"], strict=True)
    origins = [
        hash_parts(content, str(parse_crop(crop)), recipe, *([values] if values else []))
        for content, crop, values in contents
    ]
    return pictures.assign(origin=origins)


def _chain_rows(
    source: ImageSource,
    previous: TracedRows,
    found: np.ndarray,
    unknown: pd.DataFrame,
    parameters: DecodingParameters,
    compute: ComputeParameters,
    store: ShardStore | None,
) -> Iterator[tuple[int, np.ndarray]]:
    yield from copy_known(previous, found)
    rows_of = unknown.groupby("origin")["row"].agg(list)
    firsts = unknown.drop_duplicates("origin")
    columns = (firsts[name] for name in ("image_id", "crop", "sha256", "value_range"))
    rows = [Wanted(*values) for values in zip(*columns, strict=True)]
    here = parameters.workers or count_workers()
    # A worker has one decoder beside it: there are as many workers as processors.
    decoders = here if compute.engine == "serial" else 1
    decode = DecodeRows(source.read_hashed, parameters, decoders)
    spread = Spread(**compute.model_dump())
    results = map_rows(decode, rows, firsts["origin"].tolist(), spread, store)
    with closing(results):
        tracked = track(results, total=len(firsts), activity="decoding", unit="pictures")
        for wanted, origin, result in zip(rows, firsts["origin"], tracked, strict=True):
            if isinstance(result, Failure):
                raise _changed(wanted.image_id, result.reason)
            yield from ((row, result) for row in rows_of[origin])


class Wanted(NamedTuple):
    """A picture that is to be decoded.

    Attributes:
        image_id: Its name.
        crop: The part of it, see :func:`graft.images.crops.parse_crop`; None for all.
        sha256: Of its file, as it was checked.
        value_range: Which values of more than 8 bits become 0 and 255; None for 8 bits.
    """

    image_id: str
    crop: str | None
    sha256: str
    value_range: str | None


@dataclass(frozen=True)
class DecodeRows:
    """Reads and decodes pictures, in processes of their own, wherever it is called.

    Attributes:
        read_hashed: From a name to the bytes of a file and their SHA-256.
        parameters: Size and limits.
        decoders: Number of processes.
    """

    read_hashed: Callable[[str], tuple[bytes, str]]
    parameters: DecodingParameters
    decoders: int

    def __call__(self, rows: Sequence[Wanted]) -> Iterator[np.ndarray | Failure]:
        """Pixels (H, W, C), uint8, of every picture, or why there are none."""
        settings = self.parameters
        decode = partial(
            decode_picture,
            image_size=settings.image_size,
            max_pixels=settings.max_pixels,
            colour=settings.colour,
        )
        limits = Limits(settings.seconds_per_picture, settings.memory_mb)
        items = map(self._read, rows)
        results = map_isolated(decode, items, self.decoders, limits, prepare=list_formats)
        with closing(results):
            for result in results:
                # What broke a limit need not travel along.
                yield Failure(result.reason) if isinstance(result, Failure) else result

    def _read(self, wanted: Wanted) -> Item | Failure:
        """The bytes; in the place of a file that holds something else than was checked a failure.

        A file that is as it was when it was checked is not hashed again.
        """
        try:
            data, found = self.read_hashed(wanted.image_id)
        except PictureError as error:
            return Failure(str(error))
        if found != wanted.sha256:
            return Failure("its file holds something else")
        values = wanted.value_range
        deep = {} if values is None else {"value_range": parse_range(values)}
        return {"data": data, "crop": parse_crop(wanted.crop), **deep}


def _changed(image_id: str, reason: str) -> GraftError:
    return GraftError(
        f"'{image_id}' was usable when it was checked and is not now ({reason}); "
        "run again from the ingestion stage"
    )
