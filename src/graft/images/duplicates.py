"""Copies of pictures: what is linked to what, the clusters that come of it, and the conflicts."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from graft.images.similarity import find_near_pairs, parse_hashes

# The closest kind first.
SAME_BYTES, SAME_PIXELS, LOOK_ALIKE = KINDS = ("same bytes", "same pixels", "look alike")
SAME_GROUP = "same group"
DUPLICATE_COLUMNS = ["image_id", "label", "cluster", "kind", "same_as", "distance"]
CONFLICT_COLUMNS = [*DUPLICATE_COLUMNS, "other_label"]
LINK_COLUMNS = ["image_id", "other_id", "kind", "distance"]


def find_links(index: pd.DataFrame, radius: int | None) -> pd.DataFrame:
    """Pairs of pictures of which one is a copy, or nearly one, of the other.

    Of many equal pictures each is paired with the first alone, of many look-alikes with few (see
    :func:`~graft.images.similarity.find_near_pairs`): chains of pairs tell the rest.

    Args:
        index: Columns ``sha256``, ``pixel_sha256`` and ``perceptual_hash``; missing values link
            nothing. Column ``label``: of look-alikes, the closest of another label is among the
            pairs.
        radius: Largest Hamming distance of hashes of look-alikes, in bits, from 0 to 8; None
            leaves look-alikes out.

    Returns:
        ``left`` < ``right`` (row numbers), ``kind`` (one of ``KINDS``), ``distance`` (bits, 0
        for exact copies); the closest kinds first.
    """
    tables = [
        _pair_equal(*_encode(index["sha256"]), SAME_BYTES),
        _pair_equal(*_encode(index["pixel_sha256"]), SAME_PIXELS),
    ]
    if radius is not None:
        rows, hashes = parse_hashes(index["perceptual_hash"])
        unique, first, codes = np.unique(hashes, return_index=True, return_inverse=True)
        tables.append(_pair_equal(rows, codes, LOOK_ALIKE))
        if radius > 0:
            order = np.argsort(first)
            unique, rows = unique[order], rows[first[order]]
            labels = pd.factorize(index["label"].iloc[rows])[0]
            pairs, distances = find_near_pairs(unique, radius, labels)
            tables.append(_make_links(rows[pairs], LOOK_ALIKE, distances))
    return pd.concat(tables, ignore_index=True)


def name_links(index: pd.DataFrame, links: pd.DataFrame) -> pd.DataFrame:
    """Links by names, as they are stored.

    Args:
        index: Column ``image_id``.
        links: Of :func:`find_links` over the same rows.

    Returns:
        ``LINK_COLUMNS``; the picture ``image_id`` comes before ``other_id`` in the index.
    """
    ids = index["image_id"].to_numpy()
    ends = {"image_id": ids[links["left"]], "other_id": ids[links["right"]]}
    kinds = {"kind": links["kind"].to_numpy(), "distance": links["distance"].to_numpy()}
    types = {"image_id": "str", "other_id": "str", "kind": "str", "distance": "int64"}
    return pd.DataFrame(ends | kinds).astype(types)


def link_remaining(
    index: pd.DataFrame, named_links: pd.DataFrame, pictures: pd.DataFrame, radius: int | None
) -> pd.DataFrame:
    """Links among some of the pictures of an index, without a search for what is known.

    Only in a cluster that has lost a picture is searched again: those that remain may resemble
    one another, though the links known lead from each to the lost one.

    Args:
        index: Columns ``image_id`` and ``cluster`` (of :func:`find_clusters`; missing for
            pictures that were not searched).
        named_links: Of :func:`name_links` over this index.
        pictures: Those that remain, with the columns that :func:`find_links` reads.
        radius: As it was for the index.

    Returns:
        As :func:`find_links` over ``pictures``: pairs that hold the same pictures together.
    """
    clusters = index.set_index("image_id")["cluster"]
    lost = clusters[~clusters.index.isin(pictures["image_id"])].dropna().unique()
    has_lost = pictures["image_id"].map(clusters).isin(lost).to_numpy()
    rows = pd.Index(pictures["image_id"])
    ends = [rows.get_indexer(named_links[name]) for name in ("image_id", "other_id")]
    known = np.flatnonzero((ends[0] >= 0) & (ends[1] >= 0))
    known = known[~has_lost[ends[0][known]]]
    links = _make_links(np.sort([end[known] for end in ends], axis=0), "")
    links["kind"] = named_links["kind"].iloc[known].to_numpy()
    links["distance"] = named_links["distance"].iloc[known].to_numpy()
    again = find_links(pictures[has_lost], radius)
    places = np.flatnonzero(has_lost)
    again = again.assign(left=places[again["left"]], right=places[again["right"]])
    return pd.concat([links, again], ignore_index=True)


def link_groups(index: pd.DataFrame) -> pd.DataFrame:
    """Pairs of pictures of one group, as :func:`find_links` gives pairs of copies."""
    return _pair_equal(*_encode(index["group"]), SAME_GROUP)


def find_clusters(index: pd.DataFrame, links: pd.DataFrame) -> np.ndarray:
    """Number the clusters of pictures that belong together.

    Two pictures do if they share a group or are linked, or if a chain of such pairs leads from
    one to the other.

    Args:
        index: Column ``group``; a missing group links nothing.
        links: Of :func:`find_links` over the same rows.

    Returns:
        Cluster number of every row, int (n,), counted in the order of their first rows.
    """
    groups = link_groups(index)
    left = np.concatenate([groups["left"], links["left"]])
    right = np.concatenate([groups["right"], links["right"]])
    graph = coo_array((np.ones(len(left), np.int8), (left, right)), shape=(len(index),) * 2)
    return pd.factorize(connected_components(graph, directed=False)[1])[0]


def list_duplicates(index: pd.DataFrame, links: pd.DataFrame) -> pd.DataFrame:
    """Every picture that is a copy of an earlier one, with the closest of these.

    Args:
        index: Columns ``image_id``, ``label`` and ``cluster``.
        links: Of :func:`find_links` over the same rows.

    Returns:
        ``DUPLICATE_COLUMNS``; ``same_as`` is the ``image_id`` of the earlier picture.
    """
    closest = links.sort_values(["distance", "left"], kind="stable").sort_values(
        "kind", key=lambda kind: kind.map(KINDS.index), kind="stable"
    )
    closest = closest.drop_duplicates("right").sort_values("right")
    return _describe(index, closest["right"], closest["left"], closest)[DUPLICATE_COLUMNS]


def list_conflicts(index: pd.DataFrame, links: pd.DataFrame) -> pd.DataFrame:
    """Every picture that has another label than a picture of the same or nearly the same pixels.

    Two parts of one photo (crops) share its bytes and may well differ in label.

    Args:
        index: Columns ``image_id``, ``label``, ``cluster`` and ``pixel_sha256``.
        links: Of :func:`find_links` over the same rows.

    Returns:
        ``CONFLICT_COLUMNS``, a row a picture; ``same_as`` has the label ``other_label``.
    """
    labels = index["label"]
    both = links[(links["kind"] == LOOK_ALIKE).to_numpy()]
    pairs = pd.concat([_pair_labels_of_equal_pixels(index), both], ignore_index=True)
    pairs = pd.concat([pairs, pairs.rename(columns={"left": "right", "right": "left"})])
    ours, theirs = (labels.iloc[pairs[side]].reset_index(drop=True) for side in ("right", "left"))
    differ = (ours.notna() & theirs.notna() & (ours != theirs)).to_numpy()
    found = pairs[differ].sort_values(["distance", "left"], kind="stable")
    found = found.sort_values("kind", ascending=False, kind="stable")  # same pixels first
    found = found.drop_duplicates("right").sort_values("right")
    table = _describe(index, found["right"], found["left"], found)
    table["other_label"] = labels.iloc[found["left"]].to_numpy()
    return table[CONFLICT_COLUMNS]


def _pair_labels_of_equal_pixels(index: pd.DataFrame) -> pd.DataFrame:
    """Each picture with the first of the same pixels of every other label."""
    known = index.reset_index(drop=True).loc[lambda rows: rows["label"].notna().to_numpy()]
    labels = known.groupby("pixel_sha256")["label"].transform("nunique")
    known = known.loc[labels > 1, ["pixel_sha256", "label"]].rename_axis("right").reset_index()
    firsts = known.drop_duplicates(["pixel_sha256", "label"]).rename(columns={"right": "left"})
    pairs = known.merge(firsts, on="pixel_sha256").query("left != right")
    return _make_links(pairs[["left", "right"]].to_numpy().T, SAME_PIXELS)


def _describe(
    index: pd.DataFrame, rows: pd.Series, others: pd.Series, links: pd.DataFrame
) -> pd.DataFrame:
    table = index.iloc[rows][["image_id", "label", "cluster"]].reset_index(drop=True)
    table["kind"] = links["kind"].to_numpy()
    table["same_as"] = index["image_id"].iloc[others].to_numpy()
    table["distance"] = links["distance"].to_numpy()
    return table.astype({"kind": "str", "same_as": "str"})


def _encode(values: pd.Series) -> tuple[np.ndarray, np.ndarray]:
    """Rows of the known values, and a number for each of these values."""
    known = np.flatnonzero(values.notna())
    return known, pd.factorize(values.iloc[known])[0]


def _pair_equal(rows: np.ndarray, codes: np.ndarray, kind: str) -> pd.DataFrame:
    """Every row with the first one of the same code: a star, not all pairs."""
    _, first = np.unique(codes, return_index=True)
    pairs = np.stack([rows[first][codes], rows])
    return _make_links(pairs[:, pairs[0] != pairs[1]], kind)


def _make_links(pairs: np.ndarray, kind: str, distances: np.ndarray | None = None) -> pd.DataFrame:
    links = pd.DataFrame({"left": pairs[0], "right": pairs[1]}, dtype=np.int64)
    links["kind"] = pd.Series(kind, index=links.index, dtype="str")
    links["distance"] = 0 if distances is None else distances
    return links
