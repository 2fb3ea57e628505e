"""Near hashes: exactly the pairs that comparing all with all would find."""

from __future__ import annotations

import time

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graft.images.duplicates import choose_band_count, find_near_pairs, parse_hashes


def compare_all(hashes, radius):
    distances = np.bitwise_count(hashes[:, None] ^ hashes[None, :])
    left, right = np.nonzero(np.triu(distances <= radius, k=1))
    return sorted(zip(left.tolist(), right.tolist(), strict=True))


@given(
    centres=st.lists(st.integers(0, 2**64 - 1), min_size=1, max_size=5),
    flips=st.lists(st.lists(st.integers(0, 63), max_size=6), max_size=40),
    radius=st.integers(1, 8),
)
@settings(deadline=None)
def test_all_near_pairs_are_found_and_no_others(centres, flips, radius):
    near = [
        centres[n % len(centres)] ^ sum({1 << bit for bit in bits}) for n, bits in enumerate(flips)
    ]
    hashes = np.unique(np.array([*centres, *near], np.uint64))
    pairs, distances = find_near_pairs(hashes, radius)
    assert list(map(tuple, pairs.T.tolist())) == compare_all(hashes, radius)
    assert (distances == np.bitwise_count(hashes[pairs[0]] ^ hashes[pairs[1]])).all()


@pytest.mark.parametrize("count", [0, 1])
def test_no_pictures_and_one_picture_make_no_pair(count):
    pairs, distances = find_near_pairs(np.arange(count, dtype=np.uint64), radius=4)
    assert pairs.shape == (2, 0)
    assert distances.shape == (0,)


@given(count=st.integers(1, 10**7), radius=st.integers(1, 8))
def test_there_are_more_bands_than_bits_that_may_differ(count, radius):
    assert choose_band_count(count, radius) > radius


def test_more_pictures_take_longer_keys():
    assert choose_band_count(10**7, radius=4) >= choose_band_count(10**4, radius=4)


def test_a_hundred_thousand_pictures_take_less_than_a_minute():
    random = np.random.default_rng(0)
    hashes = random.integers(0, 2**64, 100_000, dtype=np.uint64)
    hashes[:1000] = hashes[1000:2000] ^ np.uint64(0b1011)
    started = time.process_time()
    pairs, _ = find_near_pairs(np.unique(hashes), radius=4)
    assert time.process_time() - started < 60
    assert pairs.shape == (2, 1000)


def test_hashes_are_read_from_hexadecimal_and_missing_ones_left_out():
    texts = pd.Series(["00000000000000ff", None, "8000000000000000"], dtype="str")
    rows, hashes = parse_hashes(texts)
    assert rows.tolist() == [0, 2]
    assert hashes.tolist() == [255, 2**63]
