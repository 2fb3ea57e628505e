"""Nodes of the decoding stage."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from functools import partial

import numpy as np
import pandas as pd

from graft.errors import GraftError
from graft.images.blocks import RowStream, count_workers
from graft.images.decoding import decode_picture
from graft.images.sources import ImageSource
from graft.images.workers import Failure, Limits, map_isolated, read_items
from graft.pipelines.decoding.parameters import DecodingParameters
from graft.progress import track


def decode_images(
    raw_images: ImageSource, splits: pd.DataFrame, parameters: DecodingParameters
) -> RowStream:
    """Decode the pictures of ``splits``, as a stream that holds a few of them at a time.

    Returns:
        ``images`` (N, H, W, 3), uint8, in the order of ``splits``. The pictures are read in the
        source's own order, in which a compressed archive is unpacked once.

    Raises:
        GraftError: While the stream is stored, if a picture has changed since it was checked,
            or breaks a limit.
    """
    size = parameters.image_size
    return RowStream(
        shape=(len(splits), size, size, 3),
        dtype="uint8",
        rows=_decode_rows(raw_images, splits, parameters),
    )


def _decode_rows(
    source: ImageSource, splits: pd.DataFrame, parameters: DecodingParameters
) -> Iterator[tuple[int, np.ndarray]]:
    row_of = dict(zip(splits["image_id"], range(len(splits)), strict=True))
    wanted = source.records[source.records["image_id"].isin(row_of)]
    if len(wanted) < len(row_of):
        missing = next(iter(row_of.keys() - set(wanted["image_id"])))
        raise _changed(missing, "it is no longer in the source")
    decode = partial(
        decode_picture, image_size=parameters.image_size, max_pixels=parameters.max_pixels
    )
    limits = Limits(parameters.seconds_per_picture, parameters.memory_mb)
    results = map_isolated(
        decode, read_items(source, wanted), parameters.workers or count_workers(), limits
    )
    with closing(results):
        tracked = track(results, total=len(wanted), activity="decoding", unit="pictures")
        for image_id, result in zip(wanted["image_id"], tracked, strict=True):
            if isinstance(result, Failure):
                raise _changed(image_id, result.reason)
            yield row_of[image_id], result


def _changed(image_id: str, reason: str) -> GraftError:
    return GraftError(
        f"'{image_id}' was usable when it was checked and is not now ({reason}); "
        "run again from the ingestion stage"
    )
