"""Assigning pictures to splits: stratified, seeded, and never a cluster on two sides."""

from __future__ import annotations

import hashlib
import itertools

import numpy as np
import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from graft.errors import GraftError


def find_clusters(index: pd.DataFrame) -> np.ndarray:
    """Number the clusters of pictures that belong together.

    Two pictures do if they share a group, the bytes of their files or their pixels, or if a
    chain of such pairs leads from one to the other.

    Args:
        index: Columns ``group``, ``sha256`` and ``pixel_sha256``; missing values link nothing.

    Returns:
        Cluster number of every row, int (n,).
    """
    count = len(index)
    edges = []
    for column in ("group", "sha256", "pixel_sha256"):
        known = np.flatnonzero(index[column].notna())
        codes, _ = pd.factorize(index[column].iloc[known])
        _, first = np.unique(codes, return_index=True)
        # A star around the first picture of each value links all of them in n edges.
        edges.append(np.stack([known, known[first][codes]]))
    ends = np.concatenate(edges, axis=1)
    graph = coo_array((np.ones(ends.shape[1]), (ends[0], ends[1])), shape=(count, count))
    return connected_components(graph, directed=False)[1]


def assign_splits(
    labels: np.ndarray,
    clusters: np.ndarray,
    names: np.ndarray,
    fractions: dict[str, float],
    seed: int,
) -> np.ndarray:
    """Give every picture a split.

    Within each class, clusters come in the order of a salted hash of their name, which does
    not depend on the order of the files; each goes to the split that lacks most pictures. A
    cluster of several classes counts for the class most frequent in it.

    Args:
        labels: Class of every picture (n,).
        clusters: Cluster of every picture, int (n,).
        names: Unique name of every picture (n,); it decides where the hash puts it.
        fractions: Share of each split; they sum to 1.
        seed: Salt of the hash.

    Returns:
        Name of the split of every picture (n,).

    Raises:
        GraftError: If a class has fewer clusters than there are splits.
    """
    units = _summarise_clusters(labels, clusters, names)
    units["rank"] = [
        hashlib.sha256(f"{seed}:{name}".encode()).hexdigest() for name in units["name"]
    ]
    chosen: dict[int, str] = {}
    lacking = np.zeros(len(fractions))
    for label, members in units.sort_values("rank").groupby("label", sort=True):
        if len(members) < len(fractions):
            raise GraftError(
                f"class '{label}' is too small to split: of its {int(members['size'].sum())} "
                f"usable pictures, {len(members)} are neither copies nor of one group; every "
                f"class needs {len(fractions)}, one each for {', '.join(fractions)}; add "
                "pictures or leave the class out"
            )
        sizes = members["size"].to_numpy()
        # What rounding took from a split in one class, the next class gives back.
        lacking += np.array(list(fractions.values())) * sizes.sum()
        splits = fill_splits(sizes, lacking)
        chosen |= dict(zip(members.index, np.array(list(fractions))[splits], strict=True))
    splits = pd.Series(clusters).map(chosen).to_numpy()
    _refuse_missing_class(labels, splits, fractions)
    return splits


def _refuse_missing_class(
    labels: np.ndarray, splits: np.ndarray, fractions: dict[str, float]
) -> None:
    present = set(zip(labels, splits, strict=True))
    for label, split in itertools.product(np.unique(labels), fractions):
        if (label, split) in present:
            continue
        raise GraftError(
            f"class '{label}' is too small to split: it has no picture in {split}, for its groups "
            "are mostly of other classes; make smaller groups or leave the class out"
        )


def _summarise_clusters(
    labels: np.ndarray, clusters: np.ndarray, names: np.ndarray
) -> pd.DataFrame:
    """A row a cluster: its most frequent ``label``, its ``size`` and its first ``name``."""
    pictures = pd.DataFrame({"label": labels, "cluster": clusters, "name": names})
    votes = pictures.groupby(["cluster", "label"]).size().rename("votes").reset_index()
    votes = votes.sort_values(["votes", "label"], ascending=[False, True])
    units = pictures.groupby("cluster").agg(size=("label", "size"), name=("name", "min"))
    units["label"] = votes.drop_duplicates("cluster").set_index("cluster")["label"]
    return units


def fill_splits(sizes: np.ndarray, lacking: np.ndarray) -> np.ndarray:
    """Put units one by one where most is lacking; no split stays empty.

    Args:
        sizes: Pictures in each unit, int (m,), in the order in which they are dealt out.
        lacking: Pictures that each split should get, float (s,) with s ≤ m; what was put in is
            taken off it, so that it ends as what is still lacking.

    Returns:
        Split number of every unit, int (m,). With units of one picture every split gets its
        share to within one picture, if no share is below one.
    """
    taken = np.zeros(len(lacking), dtype=np.int64)
    splits = np.empty(len(sizes), dtype=np.int64)
    for unit, size in enumerate(sizes):
        empty = np.flatnonzero(taken == 0)
        only_empty = len(sizes) - unit <= len(empty)
        candidates = empty if only_empty else np.arange(len(lacking))
        split = candidates[np.argmax(lacking[candidates])]
        lacking[split] -= size
        taken[split] += 1
        splits[unit] = split
    return splits
