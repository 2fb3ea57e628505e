"""What the last run decided: a picture that was given a side stays on it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import scipy

from graft.images.duplicates import (
    find_clusters,
    find_links,
    limit_levels,
    parse_hashes,
    parse_thumbnails,
)

# A picture whose hash differs in more bits from that of yesterday's picture of its name is another.
_ANOTHER = 16
# The same in levels of 255, of any mean colour, on a plain background.
_ANOTHER_LEVELS = 64
# Of so many comparisons at a time; each takes 9 bytes.
_AT_ONCE = 2**24


def recall(
    pictures: pd.DataFrame,
    previous_splits: pd.DataFrame | None,
    column: str,
    rule: dict[str, object],
    radius: int | None = None,
) -> pd.Series:
    """What the last run decided about every picture, if it followed the same rule.

    A picture is known again by its bytes, else by its pixels, else by its look, under whatever
    name: one that was saved again under another's name is not taken for that other. By its name
    alone it is known if nothing contradicts that.

    Args:
        pictures: Columns ``image_id``, ``sha256``, ``pixel_sha256`` and ``perceptual_hash``.
        previous_splits: ``splits`` of the last run; None before the first.
        column: The decision: ``"split"`` or ``"fold"``.
        rule: What the decision depends on; ``previous_splits.attrs[column]`` has the previous one.
        radius: Largest Hamming distance of hashes of look-alikes; None takes none for known.

    Returns:
        The decision about every row of ``pictures``; missing for new ones.
    """
    if previous_splits is None or previous_splits.attrs.get(column) != rule:
        return pd.Series(np.nan, index=pictures.index, dtype="object")
    known = previous_splits.dropna(subset=column)
    found = pd.Series(np.nan, index=pictures.index, dtype="object")
    for content in ("sha256", "pixel_sha256"):
        if content in known:
            table = known.dropna(subset=content).drop_duplicates(content).set_index(content)
            by_content = pictures[content].map(table[column]).astype("object")
            found = found.where(found.notna(), by_content)
    by_name = pictures["image_id"].map(known.set_index("image_id")[column]).astype("object")
    if "perceptual_hash" in known:  # splits of before have none
        new = pictures[found.isna()]
        if radius is not None:
            # What is there as it was has its own place; only what is gone may be here anew.
            gone = known[~known["sha256"].isin(pictures["sha256"])]
            gone = gone[~gone["pixel_sha256"].isin(pictures["pixel_sha256"])]
            by_look = _recall_look(new, gone, column, radius).reindex(pictures.index)
            found = found.where(found.notna(), by_look)
            if "thumbnail" in new and "thumbnail" in gone:
                by_colours = _recall_colours(new, gone, column, radius).reindex(pictures.index)
                found = found.where(found.notna(), by_colours)
        by_name[_find_replaced(new, known)] = np.nan
    return found.where(found.notna(), by_name)


def _recall_look(
    pictures: pd.DataFrame, known: pd.DataFrame, column: str, radius: int
) -> pd.Series:
    """What was decided about the known picture that looks most alike, if one is near enough."""
    rows, hashes = parse_hashes(pictures["perceptual_hash"])
    known_rows, known_hashes = parse_hashes(known["perceptual_hash"])
    found = pd.Series(np.nan, index=pictures.index, dtype="object")
    step = max(1, _AT_ONCE // max(len(known_hashes), 1))
    for start in range(0, len(rows) if len(known_hashes) else 0, step):
        part = hashes[start : start + step]
        distances = np.bitwise_count(part[:, None] ^ known_hashes[None, :])
        closest = distances.argmin(axis=1)
        near = distances[np.arange(len(part)), closest] <= radius
        places = found.index[rows[start : start + step][near]]
        found[places] = known[column].to_numpy()[known_rows[closest[near]]]
    return found


def _recall_colours(
    pictures: pd.DataFrame, known: pd.DataFrame, column: str, radius: int
) -> pd.Series:
    """As :func:`_recall_look`, of pictures on plain backgrounds."""
    rows, colours = parse_thumbnails(pictures["thumbnail"])
    known_rows, known_colours = parse_thumbnails(known["thumbnail"])
    found = pd.Series(np.nan, index=pictures.index, dtype="object")
    if not len(rows) or not len(known_rows):
        return found
    tree = scipy.spatial.cKDTree(known_colours.astype(np.float32))
    limit = limit_levels(radius)
    distances, closest = tree.query(colours.astype(np.float32), p=np.inf)
    near = distances <= limit
    found[found.index[rows[near]]] = known[column].to_numpy()[known_rows[closest[near]]]
    return found


def _find_replaced(pictures: pd.DataFrame, known: pd.DataFrame) -> pd.Index:
    """Pictures that look quite other than what had their name."""
    before = pictures["image_id"].map(known.set_index("image_id")["perceptual_hash"])
    both = pictures[pictures["perceptual_hash"].notna() & before.notna()]
    _, now = parse_hashes(both["perceptual_hash"])
    _, then = parse_hashes(before[both.index])
    replaced = both.index[np.bitwise_count(now ^ then) > _ANOTHER]
    if "thumbnail" not in pictures or "thumbnail" not in known:
        return replaced
    before = pictures["image_id"].map(known.set_index("image_id")["thumbnail"])
    both = pictures[pictures["thumbnail"].notna() & before.notna()]
    _, colours = parse_thumbnails(both["thumbnail"])
    _, others = parse_thumbnails(before[both.index])
    far = np.abs(colours.astype(np.int16) - others).max(axis=1, initial=0) > _ANOTHER_LEVELS
    return replaced.union(both.index[far])


@dataclass(frozen=True)
class Settled:
    """Pictures whose clusters stand on one side each.

    Attributes:
        pictures: Those that remain, with ``cluster`` and ``previous`` brought into agreement.
        set_aside: ``image_id`` of new pictures that are copies of pictures on two sides.
        moved: ``image_id`` of known pictures that had to change sides, for their groups or
            the rule for look-alikes have changed.
    """

    pictures: pd.DataFrame
    set_aside: list[str]
    moved: list[str]


def settle_clusters(pictures: pd.DataFrame, radius: int | None) -> Settled:
    """Bring clusters whose known pictures stand on two sides into order.

    A new picture can resemble one of train and one of test that do not resemble each other. To
    move either would change a test set that somebody may have looked at; so the new one is left
    out. Where known pictures of two sides are linked among themselves, all go where most are.

    Args:
        pictures: Columns ``image_id``, ``cluster``, ``previous`` and those that
            :func:`~graft.images.duplicates.find_links` reads.
        radius: Largest Hamming distance of the hashes of look-alikes.
    """
    pictures = pictures.copy()
    sides = pictures.groupby("cluster")["previous"].transform("nunique")
    torn = pictures[sides > 1]
    is_new = torn["previous"].isna()
    set_aside, known = torn[is_new], torn[~is_new]
    moved: list[str] = []
    if not known.empty:
        numbers = find_clusters(known, find_links(known, radius))
        pictures.loc[known.index, "cluster"] = numbers + pictures["cluster"].max() + 1
        for _, members in known.groupby(numbers):
            side = members["previous"].mode().iloc[0]
            moved += members.loc[members["previous"] != side, "image_id"].tolist()
            pictures.loc[members.index, "previous"] = side
    pictures = pictures.drop(index=set_aside.index)
    known_side = pictures.groupby("cluster")["previous"].transform("first")
    pictures["previous"] = pictures["previous"].where(pictures["previous"].notna(), known_side)
    return Settled(pictures, set_aside["image_id"].tolist(), moved)
