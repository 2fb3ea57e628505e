"""Finding hashes of pictures that look alike, among a million, without comparing all pairs."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import combinations, pairwise

import numpy as np
import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components, minimum_spanning_tree

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
            graph = coo_array((distances[first].astype(np.float64), np.divmod(codes, self._count)),
                              shape=shape)  # fmt: skip
            tree = minimum_spanning_tree(graph.tocsr()).tocoo()
            self._tree = np.stack([tree.row, tree.col, tree.data]).astype(np.int64)
            self._parts = connected_components(tree, directed=False)[1]
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
