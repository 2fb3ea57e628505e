"""Nodes of the ingestion stage."""

from __future__ import annotations

import logging
from collections import Counter
from functools import partial

import pandas as pd

from graft.errors import GraftError
from graft.fingerprints import fingerprint_code, hash_parts
from graft.images.checking import OK, QUARANTINED, check_picture
from graft.images.duplicates import SAME_PIXELS
from graft.images.sources import ImageSource
from graft.pipelines.ingestion.conflicts import cluster_pictures, settle_conflicts
from graft.pipelines.ingestion.facts import collect_facts, describe_changes
from graft.pipelines.ingestion.parameters import IngestionParameters
from graft.pipelines.ingestion.verdicts import apply_verdicts

logger = logging.getLogger(__name__)


def check_images(
    raw_images: ImageSource,
    former_checked_images: pd.DataFrame | None,
    parameters: IngestionParameters,
) -> pd.DataFrame:
    """Decode every picture of the source whole and describe it; known content only once.

    Args:
        raw_images: The source; all files are read.
        former_checked_images: What the last run found; None before the first.
        parameters: Limits.

    Returns:
        ``checked_images``: a row a picture, in the source's order, with the columns of its
        record, of :class:`~graft.images.checking.PictureFacts`, and ``origin``: a digest of all
        that the facts were made of (see :mod:`graft.images.origins`).
    """
    for note in raw_images.notes:
        logger.info(note)
    check = partial(check_picture, min_side=parameters.min_side, max_pixels=parameters.max_pixels)
    recipe = hash_parts(
        fingerprint_code(check_picture),
        parameters.min_side,
        parameters.max_pixels,
        parameters.seconds_per_picture,
        parameters.memory_mb,
    )
    checked, decoded = collect_facts(raw_images, former_checked_images, check, recipe, parameters)
    if former_checked_images is not None:
        changes = describe_changes(former_checked_images, checked)
        logger.info("Pictures     %s; %s decoded", changes, f"{decoded:,}")
    return checked


def cluster_images(
    checked_images: pd.DataFrame,
    applied_verdicts: pd.DataFrame,
    parameters: IngestionParameters,
) -> tuple[pd.DataFrame, ...]:
    """Find copies, look-alikes and groups, and settle which pictures can be used.

    Verdicts on labels come first: a picture that was relabelled conflicts with nothing any more.

    Returns:
        ``image_index``: the rows of ``checked_images`` with their ``cluster``, without ``origin``,
        labels as the verdicts have them.
        ``quarantined_images``: ``image_id`` and ``reason`` of those that cannot be used.
        ``unlabelled_images``: ``image_id`` of usable pictures that nobody has labelled; they are
        left out of training.
        ``duplicates``, ``label_conflicts`` and ``image_links``: see
        :mod:`graft.images.duplicates`.

    Raises:
        GraftError: If not one picture can be used, or a picture has two labels and
            ``label_conflicts`` is ``error``.
    """
    pictures = apply_verdicts(checked_images.drop(columns="origin"), applied_verdicts)
    found = cluster_pictures(pictures, parameters.near_duplicate_radius)
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
        found.links,
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
