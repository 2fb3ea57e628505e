"""Copies and look-alikes: what is linked to what, the clusters that come of it, the conflicts."""

from __future__ import annotations

import base64
import math
from collections.abc import Iterator
from itertools import combinations, pairwise

import numpy as np
import pandas as pd
import scipy

HASH_BITS = 64
# A sort costs about as much a row as comparing twenty pairs.
_SORT_COST = 20.0
# Of so many hashes with one key all pairs are compared; more are a crowd.
CROWD = 64
# Most keys by which the hashes of crowds are told apart: that many sorts of them.
_MOST_KEYS = 500


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


def find_near_pairs(
    hashes: np.ndarray, radius: int, labels: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Pairs of hashes that differ in at most so many bits: at most three for each hash.

    All pairs among thousands of look-alikes (a still camera, empty pages) would be millions.
    What is kept of them is, for each hash, the closest earlier one and the closest of another
    label, and the shortest pairs that hold together what any chain of near pairs holds together.

    Every choice of bands that must agree is a key; the hashes are sorted by it and compared
    only with those of the same key (multi-index hashing, M. Norouzi, A. Punjani, D. J. Fleet,
    "Fast Search in Hamming Space with Multi-Index Hashing", CVPR 2012). In a crowd of more than
    64 hashes of one key, each is compared with the 64 that come next in order. So there the
    closest is the closest of some hundreds. Which hashes hang together is exact in crowds too:
    a crowd that is not yet known to be one cluster is searched again by longer keys, and in the
    end pair by pair.

    Args:
        hashes: Different hashes, uint64 (n,).
        radius: Largest Hamming distance, in bits, from 1 to 8.
        labels: Class of each hash, int (n,), -1 for none; None if all have the same.

    Returns:
        Row numbers of the pairs, int (2, m), the smaller first and every pair once; their
        distances, int (m,).

    Examples:
        >>> find_near_pairs(np.array([0b0000, 0b0011, 0b1111], np.uint64), radius=2)[0].tolist()
        [[0, 1], [1, 2]]
    """
    kept = _KeptPairs(len(hashes), labels)
    bands = choose_band_count(len(hashes), radius)
    # In the order of the hashes, neighbours within a crowd are close to one another.
    crowds = _compare(hashes, np.argsort(hashes), bands, radius, kept, leave_crowds=True)
    if len(crowds):
        longer = [more for more in range(bands, max(bands, 3 * radius) + 1)
                  if more == bands or math.comb(more, radius) <= _MOST_KEYS]  # fmt: skip
        _compare(hashes, crowds, longer[-1], radius, kept, leave_crowds=False)
    pairs = kept.collect()
    return pairs, _measure(hashes, *pairs)


def _compare(
    hashes: np.ndarray,
    rows: np.ndarray,
    bands: int,
    radius: int,
    kept: _KeptPairs,
    leave_crowds: bool,
) -> np.ndarray:
    """Compare hashes that share a key.

    Args:
        hashes: All of them.
        rows: Those to compare, in the order of their hashes.
        bands: Bits are divided into so many.
        radius: Largest distance.
        kept: Takes the near pairs.
        leave_crowds: Whether to go no further in a crowd than the next 64 of each.

    Returns:
        Those of the rows that are in crowds that were left and are not known to be one cluster.
    """
    is_left = np.zeros(len(hashes), bool)
    for mask in _make_masks(bands, radius):
        keys = hashes[rows] & mask
        order = np.argsort(keys, kind="stable")
        sorted_rows, runs = rows[order], _number_runs(keys[order])
        # Longer keys are for what hangs together; crowds that do have been compared before.
        next_look = CROWD + 1 if leave_crowds else 1
        first = np.arange(len(rows))
        for step in range(1, len(rows)):
            first = first[first + step < len(rows)]
            first = first[runs[first] == runs[first + step]]
            if step == next_look and len(first):
                is_torn = _find_torn_crowds(runs, kept.find_parts()[sorted_rows])
                is_small = np.bincount(runs) <= CROWD
                if leave_crowds:
                    is_left[sorted_rows[is_torn[runs]]] = True
                    break
                first = first[(is_torn | is_small)[runs[first]]]
                next_look *= 2
            if not len(first):
                break
            left, right = sorted_rows[first], sorted_rows[first + step]
            distances = _measure(hashes, left, right)
            near = distances <= radius
            kept.add(left[near], right[near], distances[near])
    return rows[is_left[rows]]


def _number_runs(keys: np.ndarray) -> np.ndarray:
    """Number of the run of equal values that every value of a sorted array is in."""
    return np.concatenate([np.zeros(min(len(keys), 1), np.int64), np.cumsum(keys[1:] != keys[:-1])])


def _find_torn_crowds(runs: np.ndarray, parts: np.ndarray) -> np.ndarray:
    """Of every run, whether it is a crowd of more than one part, bool (number of runs,)."""
    sizes = np.bincount(runs)
    starts = np.cumsum(sizes) - sizes
    strangers = np.bincount(runs, weights=parts != parts[starts][runs])
    return (sizes > CROWD) & (strangers > 0)


class _KeptPairs:
    """What is worth keeping of many near pairs, in memory in proportion to the hashes.

    Args:
        count: Number of hashes n.
        labels: Class of each, or -1; None if they do not matter.
    """

    def __init__(self, count: int, labels: np.ndarray | None) -> None:
        self._count, self._labels = count, labels
        # A pair as one number that is the smaller the closer: distance × n + the other's row.
        self._none = (HASH_BITS + 1) * max(count, 1)
        self._earlier = np.full(count, self._none, np.int64)
        self._other_label = np.full(count, self._none, np.int64)
        self._tree = np.empty((3, 0), np.int64)
        self._waiting: list[np.ndarray] = []
        self._parts = np.arange(count)

    def add(self, some: np.ndarray, others: np.ndarray, distances: np.ndarray) -> None:
        left, right = np.minimum(some, others), np.maximum(some, others)
        np.minimum.at(self._earlier, right, distances * self._count + left)
        if self._labels is not None:
            ours, theirs = self._labels[left], self._labels[right]
            far = (ours != theirs) & (ours >= 0) & (theirs >= 0)
            for here, there in ((left[far], right[far]), (right[far], left[far])):
                np.minimum.at(self._other_label, here, distances[far] * self._count + there)
        joins = self._parts[left] != self._parts[right]
        if joins.any():
            self._waiting.append(np.stack([left[joins], right[joins], distances[joins]]))
        if sum(part.shape[1] for part in self._waiting) > 2 * self._count:
            self.find_parts()

    def find_parts(self) -> np.ndarray:
        """Of every hash, the number of what it hangs together with, int (n,)."""
        if self._waiting:
            left, right, distances = np.concatenate([self._tree, *self._waiting], axis=1)
            self._waiting = []
            # Pairs that come twice would be added up.
            codes, first = np.unique(left * self._count + right, return_index=True)
            shape = (self._count, self._count)
            lengths = distances[first].astype(np.float64)
            graph = scipy.sparse.coo_array((lengths, np.divmod(codes, self._count)), shape=shape)
            tree = scipy.sparse.csgraph.minimum_spanning_tree(graph.tocsr()).tocoo()
            self._tree = np.stack([tree.row, tree.col, tree.data]).astype(np.int64)
            self._parts = scipy.sparse.csgraph.connected_components(tree, directed=False)[1]
        return self._parts

    def collect(self) -> np.ndarray:
        """Row numbers (2, m) of what was kept, the smaller first, every pair once."""
        self.find_parts()
        found = [self._tree[:2]]
        for closest in (self._earlier, self._other_label):
            rows = np.flatnonzero(closest < self._none)
            found.append(np.stack([rows, closest[rows] % self._count]))
        pairs = np.sort(np.concatenate(found, axis=1), axis=0)
        codes = np.unique(pairs[0] * self._count + pairs[1])
        return np.stack(np.divmod(codes, max(self._count, 1)))


def _measure(hashes: np.ndarray, some: np.ndarray, others: np.ndarray) -> np.ndarray:
    return np.bitwise_count(hashes[some] ^ hashes[others]).astype(np.int64)


def _make_masks(bands: int, radius: int) -> Iterator[np.uint64]:
    """The bits of every choice of bands that must agree exactly."""
    edges = [HASH_BITS * band // bands for band in range(bands + 1)]
    pieces = [(1 << high) - (1 << low) for low, high in pairwise(edges)]
    for chosen in combinations(pieces, bands - radius):
        yield np.uint64(sum(chosen))


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
LINK_COLUMNS = ["image_id", "other_id", "kind", "distance"]


def find_links(index: pd.DataFrame, radius: int | None) -> pd.DataFrame:
    """Pairs of pictures of which one is a copy, or nearly one, of the other.

    Of many equal pictures each is paired with the first alone, of many look-alikes with few (see
    :func:`~graft.images.duplicates.find_near_pairs`): chains of pairs tell the rest.

    Args:
        index: Columns ``sha256``, ``pixel_sha256`` and ``perceptual_hash``, perhaps ``thumbnail``;
            missing values link nothing. Column ``label``: of look-alikes, the closest of another
            label is among the pairs.
        radius: Largest Hamming distance of hashes of look-alikes, in bits, from 0 to 8; None
            leaves look-alikes out.

    Returns:
        ``left`` < ``right`` (row numbers), ``kind`` (one of ``KINDS``), ``distance`` (bits; levels
        of colour of pictures on a plain background; 0 for exact copies); the closest kinds first.
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
        if "thumbnail" in index:
            tables.append(_link_thumbnails(index, radius))
    return pd.concat(tables, ignore_index=True)


# Levels of 255 in which any of the 8×8 mean colours of two saves of one photo differ at most, and
# how many more for every bit of the radius: 24 at 4 bits, where half the size differs by 11, 8 %
# less light by 21, and other objects on the same background by more.
_LEVELS, _LEVELS_A_BIT = 8, 4


def limit_levels(radius: int) -> int:
    """Levels in which any mean colour of two look-alikes on plain backgrounds differs at most."""
    return _LEVELS + _LEVELS_A_BIT * radius if radius else 0


def parse_thumbnails(texts: pd.Series) -> tuple[np.ndarray, np.ndarray]:
    """Mean colours as they are stored.

    Args:
        texts: 192 bytes in base64, or missing.

    Returns:
        Row numbers of those that are known, int (k,), and their colours, uint8 (k, 192).
    """
    rows = np.flatnonzero(texts.notna())
    data = b"".join(map(base64.b64decode, texts.iloc[rows]))
    return rows, np.frombuffer(data, np.uint8).reshape(len(rows), 3 * HASH_BITS)


def _link_thumbnails(index: pd.DataFrame, radius: int) -> pd.DataFrame:
    """Look-alikes among pictures on plain backgrounds, by all their colours, none far off."""
    rows, colours = parse_thumbnails(index["thumbnail"])
    unique, first, codes = np.unique(colours, axis=0, return_index=True, return_inverse=True)
    links = _pair_equal(rows, codes.reshape(-1), LOOK_ALIKE)
    if radius == 0 or len(unique) < 2:
        return links
    order = np.argsort(first)
    unique, first = unique[order].astype(np.float32), rows[first[order]]
    tree = scipy.spatial.cKDTree(unique)
    pairs = tree.query_pairs(limit_levels(radius), p=np.inf, output_type="ndarray").T
    kept = _KeptPairs(len(unique), pd.factorize(index["label"].iloc[first])[0])
    distances = _measure_colours(unique, *pairs)
    kept.add(pairs[0], pairs[1], distances)
    found = kept.collect()
    near = _make_links(first[found], LOOK_ALIKE, _measure_colours(unique, *found))
    return pd.concat([links, near], ignore_index=True)


def _measure_colours(colours: np.ndarray, some: np.ndarray, others: np.ndarray) -> np.ndarray:
    steps = [slice(at, at + 2**16) for at in range(0, len(some), 2**16)]
    parts = [np.abs(colours[some[rows]] - colours[others[rows]]).max(axis=1) for rows in steps]
    return np.concatenate([np.empty(0), *parts]).astype(np.int64)


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
    linked = np.ones(len(left), np.int8)
    graph = scipy.sparse.coo_array((linked, (left, right)), shape=(len(index),) * 2)
    return pd.factorize(scipy.sparse.csgraph.connected_components(graph, directed=False)[1])[0]


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
