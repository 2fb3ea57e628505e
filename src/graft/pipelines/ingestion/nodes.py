"""Nodes of the ingestion stage."""

from __future__ import annotations

import logging
from collections import Counter
from dataclasses import fields

import pandas as pd

from graft.errors import GraftError
from graft.images.blocks import count_workers, map_threaded
from graft.images.checking import (
    OK,
    QUARANTINED,
    PictureFacts,
    check_picture,
    describe_unreadable,
)
from graft.images.decoding import PictureError
from graft.images.sources import ImageSource
from graft.pipelines.ingestion.parameters import IngestionParameters
from graft.progress import track

logger = logging.getLogger(__name__)


def check_images(
    raw_images: ImageSource, parameters: IngestionParameters
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Decode every picture of the source whole and describe it.

    Returns:
        ``image_index``: a row a picture, in the source's order, with its id, label, group and
        the columns of :class:`~graft.images.checking.PictureFacts`.
        ``quarantined_images``: ``image_id`` and ``reason`` of those that cannot be used.

    Raises:
        GraftError: If not one picture can be used.
    """
    records = raw_images.records
    facts = list(
        track(
            map_threaded(
                lambda content: _check(content, parameters),
                (_read(raw_images, image_id) for image_id in records["image_id"]),
                parameters.workers or count_workers(),
            ),
            total=len(records),
            activity="checking",
            unit="pictures",
        )
    )
    index = pd.concat([records.reset_index(drop=True), _to_table(facts)], axis=1)
    quarantined = index.loc[index["status"] == QUARANTINED, ["image_id", "reason"]]
    _refuse_if_none_left(index, quarantined)
    _log_findings(index, quarantined)
    return index, quarantined.reset_index(drop=True)


def _read(source: ImageSource, image_id: str) -> bytes | PictureError:
    try:
        return source.read(image_id)
    except PictureError as error:
        return error


def _check(content: bytes | PictureError, parameters: IngestionParameters) -> PictureFacts:
    if isinstance(content, PictureError):
        return describe_unreadable(str(content))
    return check_picture(content, parameters.min_side, parameters.max_pixels)


def _to_table(facts: list[PictureFacts]) -> pd.DataFrame:
    # Stated types: a column of nothing but missing values would have none.
    types = {"width": "Int32", "height": "Int32", "bytes": "int64"}
    columns = [field.name for field in fields(PictureFacts)]
    return pd.DataFrame(facts, columns=columns).astype(
        {name: types.get(name, "str") for name in columns}
    )


def _refuse_if_none_left(index: pd.DataFrame, quarantined: pd.DataFrame) -> None:
    if len(quarantined) == len(index):
        first = quarantined.iloc[0]
        raise GraftError(
            f"none of the {len(index):,} files is a picture that can be used; the first is "
            f"'{first['image_id']}' ({first['reason']}); point the source at pictures"
        )


def _describe_spread(counts: pd.Series) -> str:
    if counts.empty:
        return "no labels"
    fewest, most = counts.min(), counts.max()
    return f"{most:,} each" if fewest == most else f"{fewest:,} to {most:,} each"


def _log_findings(index: pd.DataFrame, quarantined: pd.DataFrame) -> None:
    usable = index[index["status"] == OK]
    counts = usable["label"].value_counts()
    spread = _describe_spread(counts)
    unlabelled = int(usable["label"].isna().sum())
    logger.info(
        "Found        %s pictures in %d %s (%s)%s",
        f"{len(usable):,}",
        len(counts),
        "class" if len(counts) == 1 else "classes",
        spread,
        f", {unlabelled:,} without a label" if unlabelled else "",
    )
    if quarantined.empty:
        logger.info("Quarantined  none")
        return
    reasons = Counter(reason.partition(":")[0] for reason in quarantined["reason"])
    logger.info(
        "Quarantined  %s: %s",
        f"{len(quarantined):,}",
        "; ".join(f"{count:,} × {reason}" for reason, count in reasons.most_common(3)),
    )
