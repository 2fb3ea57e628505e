"""Copies and look-alikes: what is linked to what, the clusters that come of it, the conflicts."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import combinations, pairwise

import numpy as np
import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

HASH_BITS = 64
# A sort costs about as much a row as comparing twenty pairs.
_SORT_COST = 20.0


def choose_band_count(count: int, radius: int) -> int:
    """Number of bands that finds all near pairs among so many hashes with the least work.

    Two hashes that differ in at most ``radius`` bits agree exactly in all but ``radius`` of any
    number of bands. More bands make longer keys, with fewer chance meetings, but more tables.

    Examples:
        >>> choose_band_count(1_000, radius=4), choose_band_count(1_000_000, radius=4)
        (5, 6)
    """

    def estimate_work(bands: int) -> float:
        key_bits = HASH_BITS * (bands - radius) // bands
        meetings = count / 2 ** (key_bits + 1)
        return math.comb(bands, radius) * (_SORT_COST + meetings)

    return min(range(radius + 1, radius + 6), key=estimate_work)


def find_near_pairs(hashes: np.ndarray, radius: int) -> tuple[np.ndarray, np.ndarray]:
    """All pairs of hashes that differ in at most so many bits.

    Every choice of bands that must agree is a key; the hashes are sorted by it and compared
    only with those of the same key (multi-index hashing, M. Norouzi, A. Punjani, D. J. Fleet,
    "Fast Search in Hamming Space with Multi-Index Hashing", CVPR 2012).

    Args:
        hashes: Different hashes, uint64 (n,).
        radius: Largest Hamming distance, in bits, from 1 to 8.

    Returns:
        Row numbers of the pairs, int (2, m), the smaller first and every pair once; their
        distances, int (m,).

    Examples:
        >>> find_near_pairs(np.array([0b0000, 0b0011, 0b1111], np.uint64), radius=2)[0].tolist()
        [[0, 1], [1, 2]]
    """
    found = [np.empty((2, 0), np.int64)]
    for mask in _make_masks(choose_band_count(len(hashes), radius), radius):
        keys = hashes & mask
        order = np.argsort(keys)
        for first, second in _meet_neighbours(keys[order]):
            left, right = order[first], order[second]
            near = np.bitwise_count(hashes[left] ^ hashes[right]) <= radius
            found.append(np.sort(np.stack([left[near], right[near]]), axis=0))
    pairs = np.concatenate(found, axis=1)
    codes = np.unique(pairs[0] * len(hashes) + pairs[1])
    pairs = np.stack(np.divmod(codes, max(len(hashes), 1)))
    return pairs, np.bitwise_count(hashes[pairs[0]] ^ hashes[pairs[1]]).astype(np.int64)


def _make_masks(bands: int, radius: int) -> Iterator[np.uint64]:
    """The bits of every choice of bands that must agree exactly."""
    edges = [HASH_BITS * band // bands for band in range(bands + 1)]
    pieces = [(1 << high) - (1 << low) for low, high in pairwise(edges)]
    for chosen in combinations(pieces, bands - radius):
        yield np.uint64(sum(chosen))


def _meet_neighbours(keys: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Positions of all pairs of equal values in a sorted array, in pieces of at most n pairs."""
    first = np.arange(len(keys))
    step = 0
    while True:
        step += 1
        first = first[first + step < len(keys)]
        first = first[keys[first] == keys[first + step]]
        if not len(first):
            return
        yield first, first + step


def parse_hashes(texts: pd.Series) -> tuple[np.ndarray, np.ndarray]:
    """Hexadecimal hashes as numbers.

    Args:
        texts: Hashes of 16 digits, or missing.

    Returns:
        Row numbers of those that are known, int (k,), and their hashes, uint64 (k,).
    """
    known = np.flatnonzero(texts.notna())
    digits = "".join(texts.iloc[known])
    return known, np.frombuffer(bytes.fromhex(digits), ">u8").astype(np.uint64)


# The closest kind first.
SAME_BYTES, SAME_PIXELS, LOOK_ALIKE = KINDS = ("same bytes", "same pixels", "look alike")
SAME_GROUP = "same group"
DUPLICATE_COLUMNS = ["image_id", "label", "cluster", "kind", "same_as", "distance"]
CONFLICT_COLUMNS = [*DUPLICATE_COLUMNS, "other_label"]


def find_links(index: pd.DataFrame, radius: int | None) -> pd.DataFrame:
    """Pairs of pictures of which one is a copy, or nearly one, of the other.

    Of many equal pictures each is paired with the first alone: chains of pairs tell the rest.

    Args:
        index: Columns ``sha256``, ``pixel_sha256`` and ``perceptual_hash``; missing values link
            nothing.
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
            pairs, distances = find_near_pairs(unique, radius)
            tables.append(_make_links(np.sort(rows[first][pairs], axis=0), LOOK_ALIKE, distances))
    return pd.concat(tables, ignore_index=True)


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
