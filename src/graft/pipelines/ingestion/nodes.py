"""Nodes of the ingestion stage."""

from __future__ import annotations

import re
from collections import Counter
from functools import partial

import pandas as pd

from graft.compute.shards import ShardStore
from graft.errors import GraftError
from graft.fingerprints import fingerprint_code, hash_parts
from graft.images.checking import OK, QUARANTINED, check_picture
from graft.images.decoding import list_formats
from graft.images.deep_pictures import parse_range, widen_range
from graft.images.duplicates import SAME_PIXELS
from graft.parameters.compute import HERE, ComputeParameters
from graft.pipelines.ingestion.labels import apply_reviews, cluster_pictures, settle_conflicts
from graft.pipelines.ingestion.parameters import IngestionParameters
from graft.pipelines.ingestion.reading import collect_facts
from graft.pipelines.ingestion.selecting import (
    select_pictures,
    set_small_classes_apart,
    tell_of_lost_classes,
)
from graft.progress import tell
from graft.sources.source import ImageSource


def describe_changes(previous: pd.DataFrame, now: pd.DataFrame) -> str:
    """What has happened to the pictures since the last run, for a person.

    A picture of known content under a new name is renamed if the old name is gone, else new.

    Args:
        previous: Columns ``image_id``, ``label``, ``crop`` and ``sha256``, of the last run.
        now: The same of this run.
    """
    before, after = (_name_contents(table) for table in (previous, now))
    same = after.merge(before, on=["image_id", "content"], suffixes=("", "_before"))
    relabelled = int((same["label"] != same["label_before"]).sum())
    gone, come = (
        table[~table["image_id"].isin(same["image_id"])].assign(
            copy=lambda rest: rest.groupby("content").cumcount()
        )
        for table in (before, after)
    )
    renamed = len(come.merge(gone, on=["content", "copy"]))
    parts = [f"{len(come) - renamed:,} new", f"{len(gone) - renamed:,} removed"]
    parts += [f"{renamed:,} renamed"] if renamed else []
    parts += [f"{relabelled:,} relabelled"] if relabelled else []
    return ", ".join([*parts, f"{len(same) - relabelled:,} as before"])


def _name_contents(table: pd.DataFrame) -> pd.DataFrame:
    content = table["sha256"].fillna("") + " " + table["crop"].fillna("")
    return table[["image_id"]].assign(label=table["label"].fillna(""), content=content)


def check_images(
    raw_images: ImageSource,
    previous_checked_images: pd.DataFrame | None,
    parameters: IngestionParameters,
    compute: ComputeParameters = HERE,
    checked_shards: ShardStore | None = None,
) -> pd.DataFrame:
    """Decode every picture of the source whole and describe it; known content only once.

    Args:
        raw_images: The source; all files are read.
        previous_checked_images: What the last run found; None before the first.
        parameters: Limits.
        compute: Where files are read and pictures decoded.
        checked_shards: Where workers leave what they find, if there are any.

    Returns:
        ``checked_images``: a row a picture, in the source's order, with the columns of its
        record, of :class:`~graft.images.checking.PictureFacts`, and ``origin``: a digest of all
        that the facts were made of (see :mod:`graft.compute.known_rows`).
    """
    for note in raw_images.notes:
        tell(note[:12].rstrip(), note[13:])
    raw_images = select_pictures(raw_images, parameters)
    check = partial(check_picture, min_side=parameters.min_side, max_pixels=parameters.max_pixels)
    if value_range := parse_range(parameters.value_range):
        check = partial(check, value_range=value_range)
    recipe = hash_parts(
        fingerprint_code(check_picture),
        parameters.min_side,
        parameters.max_pixels,
        parameters.seconds_per_picture,
        parameters.memory_mb,
        parameters.value_range,
        *sorted(list_formats()),
    )
    checked, decoded = collect_facts(
        raw_images, previous_checked_images, check, recipe, parameters, compute, checked_shards
    )
    if previous_checked_images is not None:
        changes = describe_changes(previous_checked_images, checked)
        tell("Pictures", "%s; %s decoded", changes, f"{decoded:,}")
    return checked


def cluster_images(
    checked_images: pd.DataFrame,
    applied_reviews: pd.DataFrame,
    parameters: IngestionParameters,
) -> tuple[pd.DataFrame, ...]:
    """Find copies, look-alikes and groups, and settle which pictures can be used.

    Reviews on labels come first: a picture that was relabelled conflicts with nothing any more.

    Returns:
        ``image_index``: the rows of ``checked_images`` with their ``cluster``, without ``origin``,
        labels as the reviews have them; and ``value_range``, such as ``0-4095``: which values of
        pictures of more than 8 bits become 0 and 255 (missing for all others).
        ``quarantined_images``: ``image_id`` and ``reason`` of those that cannot be used.
        ``unlabelled_images``: ``image_id`` of usable pictures that nobody has labelled; they are
        left out of training.
        ``duplicates``, ``label_conflicts`` and ``image_links``: see
        :mod:`graft.images.duplicates`.

    Raises:
        GraftError: If not one picture can be used, or a picture has two labels and
            ``label_conflicts`` is ``error``.
    """
    pictures = apply_reviews(checked_images.drop(columns="origin"), applied_reviews)
    found = cluster_pictures(pictures, parameters.near_duplicate_radius)
    index = settle_conflicts(found.index, found.conflicts, parameters.label_conflicts)
    index = set_small_classes_apart(index, parameters.min_class_size)
    index["value_range"] = _choose_value_range(index, parameters.value_range)
    quarantined = index.loc[index["status"] == QUARANTINED, ["image_id", "reason"]]
    _refuse_if_none_left(index, quarantined)
    _log_findings(index, quarantined)
    tell_of_lost_classes(index)
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


def _choose_value_range(index: pd.DataFrame, asked: str) -> pd.Series:
    """One range for all pictures of more than 8 bits: a dark one among them stays dark."""
    is_deep = (index["status"] == OK) & index["value_high"].notna()
    chosen = pd.Series(None, index=index.index, dtype="str")
    if not is_deep.any():
        return chosen
    is_float = is_deep & index["mode"].str.startswith("F").fillna(value=False)
    for rows, what in ((is_deep & ~is_float, "integers"), (is_float, "fractions")):
        if not rows.any():
            continue
        low, high = index.loc[rows, "value_low"].min(), index.loc[rows, "value_high"].max()
        low, high = widen_range(low, high) if what == "integers" else (low, high)
        text = f"{low:.10g}-{high:.10g}" if asked == "auto" else asked
        # Of pictures that are all one value nothing can be said.
        chosen[rows] = text if parse_range(text) is not None else None
        tell(
            "Deep", "%s pictures of more than 8 bits (%s): %s become black to white "
            "(ingestion.value_range: %s)", f"{rows.sum():,}", what, text, asked,
        )  # fmt: skip
    return chosen


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
    tell(
        "Found",
        "%s pictures in %d %s (%s)%s",
        f"{len(usable) - unlabelled:,}",
        len(counts),
        "class" if len(counts) == 1 else "classes",
        spread,
        f", and {unlabelled:,} without a label" if unlabelled else "",
    )
    if quarantined.empty:
        tell("Quarantined", "none")
        return
    reasons = Counter(map(_generalise, quarantined["reason"]))
    tell(
        "Quarantined",
        "%s: %s",
        f"{len(quarantined):,}",
        "; ".join(f"{count:,} × {reason}" for reason, count in reasons.most_common(3)),
    )


def _generalise(reason: str) -> str:
    """A reason without what differs from picture to picture: names, numbers, details.

    Examples:
        >>> _generalise("same picture as 'dog/0.jpg' under label 'dog'")
        "same picture as '…' under label '…'"
        >>> _generalise("3×2 pixels, a side is shorter than the 4 of min_side")
        '… pixels, a side is shorter than the 4 of min_side'
    """
    general = re.sub(r"'.*?'(?= |$)", "'…'", reason).partition(":")[0]
    return re.sub(r"^[0-9][0-9,×]*", "…", general)


def _log_copies(duplicates: pd.DataFrame, conflicts: pd.DataFrame, policy: str) -> None:
    if len(duplicates):
        kinds = duplicates["kind"].value_counts()
        listed = ", ".join(f"{kind}: {count:,}" for kind, count in kinds.items())
        tell("Copies", "of earlier pictures: %s (%s)", f"{len(duplicates):,}", listed)
    certain = conflicts[conflicts["kind"] == SAME_PIXELS]
    if len(certain):
        outcome = {"drop": "none of them is used", "keep": "all of them are used"}[policy]
        tell("Two labels", "%s pictures: %s", f"{len(certain):,}", outcome)
    if alike := len(conflicts) - len(certain):
        tell(
            "Look alike", "%s pictures and ones of another class: they stay on one side together "
            "(--params near_duplicate_radius=null unties them)", f"{alike:,}",
        )  # fmt: skip
