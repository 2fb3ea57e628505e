"""Nodes of the ingestion stage."""

from __future__ import annotations

import logging
from collections import Counter
from contextlib import closing
from dataclasses import fields
from functools import partial

import pandas as pd

from graft.errors import GraftError
from graft.images.blocks import count_workers
from graft.images.checking import (
    OK,
    QUARANTINED,
    PictureFacts,
    check_picture,
    describe_unusable,
)
from graft.images.duplicates import SAME_PIXELS
from graft.images.sources import ImageSource
from graft.images.workers import Failure, Limits, map_isolated, read_items
from graft.pipelines.ingestion.conflicts import cluster_pictures, settle_conflicts
from graft.pipelines.ingestion.parameters import IngestionParameters
from graft.progress import track

logger = logging.getLogger(__name__)


def check_images(raw_images: ImageSource, parameters: IngestionParameters) -> pd.DataFrame:
    """Decode every picture of the source whole and describe it.

    Returns:
        ``checked_images``: a row a picture, in the source's order, with the columns of its
        record and of :class:`~graft.images.checking.PictureFacts`.
    """
    for note in raw_images.notes:
        logger.info(note)
    records = raw_images.records
    check = partial(check_picture, min_side=parameters.min_side, max_pixels=parameters.max_pixels)
    limits = Limits(parameters.seconds_per_picture, parameters.memory_mb)
    results = map_isolated(
        check, read_items(raw_images, records), parameters.workers or count_workers(), limits
    )
    with closing(results):
        tracked = track(results, total=len(records), activity="checking", unit="pictures")
        facts = [_describe(result) for result in tracked]
    return pd.concat([records.reset_index(drop=True), _to_table(facts)], axis=1)


def cluster_images(
    checked_images: pd.DataFrame, parameters: IngestionParameters
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Find copies, look-alikes and groups, and settle which pictures can be used.

    Returns:
        ``image_index``: the rows of ``checked_images`` with their ``cluster``.
        ``quarantined_images``: ``image_id`` and ``reason`` of those that cannot be used.
        ``unlabelled_images``: ``image_id`` of usable pictures that nobody has labelled; they are
        left out of training.
        ``duplicates`` and ``label_conflicts``: see :mod:`graft.images.duplicates`.

    Raises:
        GraftError: If not one picture can be used, or a picture has two labels and
            ``label_conflicts`` is ``error``.
    """
    found = cluster_pictures(checked_images, parameters.near_duplicate_radius)
    index = settle_conflicts(found.index, found.conflicts, parameters.label_conflicts)
    quarantined = index.loc[index["status"] == QUARANTINED, ["image_id", "reason"]]
    _refuse_if_none_left(index, quarantined)
    _log_findings(index, quarantined)
    _log_copies(found.duplicates, found.conflicts, parameters.label_conflicts)
    unlabelled = index.loc[(index["status"] == OK) & index["label"].isna(), ["image_id"]]
    return (
        index,
        quarantined.reset_index(drop=True),
        unlabelled.reset_index(drop=True),
        found.duplicates,
        found.conflicts,
    )


def _describe(result: PictureFacts | Failure) -> PictureFacts:
    if isinstance(result, Failure):
        return describe_unusable(result.reason, result.item["data"] if result.item else None)
    return result


def _to_table(facts: list[PictureFacts]) -> pd.DataFrame:
    # Stated types: a column of nothing but missing values would have none.
    types = {"width": "Int32", "height": "Int32", "bytes": "int64"}
    types |= dict.fromkeys(["brightness", "contrast", "red", "green", "blue"], "float32")
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


def _log_copies(duplicates: pd.DataFrame, conflicts: pd.DataFrame, policy: str) -> None:
    if len(duplicates):
        kinds = duplicates["kind"].value_counts()
        listed = ", ".join(f"{kind}: {count:,}" for kind, count in kinds.items())
        logger.info("Copies       of earlier pictures: %s (%s)", f"{len(duplicates):,}", listed)
    certain = conflicts[conflicts["kind"] == SAME_PIXELS]
    if len(certain):
        outcome = {"drop": "none of them is used", "keep": "all of them are used"}[policy]
        logger.info("Two labels   %s pictures: %s", f"{len(certain):,}", outcome)
