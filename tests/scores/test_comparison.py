"""Paired comparison: checked against published and hand-made calculations."""

from __future__ import annotations

from math import comb

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from graft.scores.comparison import compare_paired


def compare(both: int, only_first: int, only_second: int, neither: int, confidence=0.95) -> dict:
    first = [True] * (both + only_first) + [False] * (only_second + neither)
    second = [True] * both + [False] * only_first + [True] * only_second + [False] * neither
    return compare_paired(np.array(first), np.array(second), confidence)


def test_a_published_example() -> None:
    # Bentur et al. 2009 as worked by Fagerland, Lydersen and Laake (BMC Medical Research
    # Methodology 13:91, 2013): 1 against 7 discordant pairs of 21, exact p = 0.070.
    found = compare(both=1, only_first=1, only_second=7, neither=12)
    assert found["p_value"] == pytest.approx(0.0703, abs=5e-5)
    assert found["difference"] == pytest.approx(6 / 21)


@given(st.integers(0, 30), st.integers(0, 30), st.integers(0, 100))
def test_the_p_value_counts_equally_or_less_likely_shares(one: int, other: int, both: int) -> None:
    total = one + other
    tail = sum(comb(total, k) for k in range(min(one, other) + 1)) / 2**total
    found = compare(both + 1, one, other, 0)
    assert found["p_value"] == pytest.approx(min(1.0, 2 * tail))
    assert found["low"] <= found["difference"] <= found["high"]


def test_the_interval_by_hand() -> None:
    # (8 - 2) / 23 ± 1.96 · sqrt((10 / 23 - (6 / 23)²) / 23)
    found = compare(both=1, only_first=1, only_second=7, neither=12)
    assert found["low"] == pytest.approx(0.0134, abs=1e-4)
    assert found["high"] == pytest.approx(0.5083, abs=1e-4)


def test_classifiers_that_never_differ_are_not_told_apart() -> None:
    found = compare(both=10, only_first=0, only_second=0, neither=3)
    assert found["p_value"] == 1
    assert found["low"] < 0 < found["high"]
