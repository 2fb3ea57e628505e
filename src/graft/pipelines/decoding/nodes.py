"""Nodes of the decoding stage."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from graft.errors import GraftError
from graft.images.blocks import RowStream, count_workers, map_threaded
from graft.images.colours import count_channels
from graft.images.decoding import PictureError, decode_picture
from graft.images.sources import ImageSource
from graft.pipelines.decoding.parameters import DecodingParameters
from graft.progress import track


def decode_images(
    raw_images: ImageSource, splits: pd.DataFrame, parameters: DecodingParameters
) -> RowStream:
    """Decode the pictures of ``splits``, as a stream that holds a few of them at a time.

    Returns:
        ``images`` (N, H, W, 3), uint8, in the order of ``splits``; (N, H, W, 1) in grey. The
        pictures are read in the source's own order, in which a compressed archive is unpacked
        once.

    Raises:
        GraftError: While the stream is stored, if a picture has changed since it was checked.
    """
    size = parameters.image_size
    return RowStream(
        shape=(len(splits), size, size, count_channels(parameters.colour)),
        dtype="uint8",
        rows=_decode_rows(raw_images, splits, parameters),
    )


def _decode_rows(
    source: ImageSource, splits: pd.DataFrame, parameters: DecodingParameters
) -> Iterator[tuple[int, np.ndarray]]:
    row_of = dict(zip(splits["image_id"], range(len(splits)), strict=True))
    wanted = [image_id for image_id in source.records["image_id"] if image_id in row_of]
    if len(wanted) < len(row_of):
        missing = next(iter(row_of.keys() - set(wanted)))
        raise _changed(missing, "it is no longer in the source")

    def read(image_id: str) -> tuple[str, bytes]:
        try:
            return image_id, source.read(image_id)
        except PictureError as error:
            raise _changed(image_id, str(error)) from error

    def decode(file: tuple[str, bytes]) -> tuple[int, np.ndarray]:
        image_id, data = file
        try:
            pixels = decode_picture(
                data, parameters.image_size, parameters.max_pixels, parameters.colour
            )
        except PictureError as error:
            raise _changed(image_id, str(error)) from error
        return row_of[image_id], pixels

    rows = map_threaded(decode, map(read, wanted), parameters.workers or count_workers())
    return track(rows, total=len(wanted), activity="decoding", unit="pictures")


def _changed(image_id: str, reason: str) -> GraftError:
    return GraftError(
        f"'{image_id}' was usable when it was checked and is not now ({reason}); "
        "run again from the ingestion stage"
    )
