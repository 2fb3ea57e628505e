"""Clusters of copies in the index, and what becomes of pictures with two labels."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from graft.errors import GraftError
from graft.images.checking import OK, QUARANTINED
from graft.images.duplicates import (
    SAME_PIXELS,
    find_clusters,
    find_links,
    list_conflicts,
    list_duplicates,
    name_links,
)


@dataclass(frozen=True)
class Clustered:
    """An index with its clusters, and the lists that come of them.

    Attributes:
        index: The rows given, with the column ``cluster`` (missing in quarantine).
        duplicates: Of :func:`~graft.images.duplicates.list_duplicates`.
        conflicts: Of :func:`~graft.images.duplicates.list_conflicts`.
        links: Of :func:`~graft.images.duplicates.name_links`.
    """

    index: pd.DataFrame
    duplicates: pd.DataFrame
    conflicts: pd.DataFrame
    links: pd.DataFrame


def cluster_pictures(index: pd.DataFrame, radius: int | None) -> Clustered:
    """Find the clusters of the usable pictures and list copies and conflicts of labels.

    Args:
        index: Columns of the index, ``status`` among them.
        radius: Largest Hamming distance of hashes of look-alikes, in bits; None leaves
            look-alikes out.
    """
    usable = index[index["status"] == OK].reset_index(names="row")
    links = find_links(usable, radius)
    usable["cluster"] = find_clusters(usable, links)
    clusters = usable.set_index("row")["cluster"].reindex(index.index)
    return Clustered(
        index.assign(cluster=clusters.astype("Int64")),
        list_duplicates(usable, links),
        list_conflicts(usable, links),
        name_links(usable, links),
    )


def settle_conflicts(index: pd.DataFrame, conflicts: pd.DataFrame, policy: str) -> pd.DataFrame:
    """Deal with pictures whose very pixels stand under two labels; look-alikes are only listed.

    Args:
        index: The index.
        conflicts: Of :func:`cluster_pictures`.
        policy: ``"drop"`` quarantines all of them, for nobody knows which label is right;
            ``"keep"`` leaves them; ``"error"`` refuses them.

    Returns:
        The index, with new ``status`` and ``reason`` where pictures were dropped.

    Raises:
        GraftError: If the policy is ``"error"`` and there is a conflict.
    """
    certain = conflicts[conflicts["kind"] == SAME_PIXELS]
    if policy == "keep" or certain.empty:
        return index
    reasons = (
        "same picture as '" + certain["same_as"] + "' under label '" + certain["other_label"] + "'"
    )
    if policy == "error":
        first = certain.iloc[0]
        raise GraftError(
            f"{len(certain):,} pictures stand under two labels; mend the labels or set "
            f"ingestion.label_conflicts to drop or keep; the first is '{first['image_id']}' "
            f"('{first['label']}'), the {reasons.iloc[0]}"
        )
    rows = index["image_id"].isin(certain["image_id"])
    found = index.loc[rows, "image_id"].map(dict(zip(certain["image_id"], reasons, strict=True)))
    index = index.copy()
    index.loc[rows, "status"] = QUARANTINED
    index.loc[rows, "reason"] = found
    return index
