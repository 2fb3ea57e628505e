"""What the last run decided: a picture that was given a side stays on it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from graft.images.duplicates import find_clusters, find_links


def recall(
    pictures: pd.DataFrame,
    previous_splits: pd.DataFrame | None,
    column: str,
    rule: dict[str, object],
) -> pd.Series:
    """What the last run decided about every picture, if it followed the same rule.

    A picture is known again by its bytes, under whatever name, and else by its name.

    Args:
        pictures: Columns ``image_id`` and ``sha256``.
        previous_splits: ``splits`` of the last run; None before the first.
        column: The decision: ``"split"`` or ``"fold"``.
        rule: What the decision depends on; ``previous_splits.attrs[column]`` has the previous one.

    Returns:
        The decision about every row of ``pictures``; missing for new ones.
    """
    if previous_splits is None or previous_splits.attrs.get(column) != rule:
        return pd.Series(np.nan, index=pictures.index, dtype="object")
    known = previous_splits.dropna(subset=column)
    by_bytes = known.drop_duplicates("sha256").set_index("sha256")[column]
    by_name = known.set_index("image_id")[column]
    found = pictures["sha256"].map(by_bytes).astype("object")
    return found.where(found.notna(), pictures["image_id"].map(by_name).astype("object"))


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
