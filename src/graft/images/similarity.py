"""Finding hashes of pictures that look alike, among a million, without comparing all pairs."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import combinations, pairwise

import numpy as np
import pandas as pd

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
