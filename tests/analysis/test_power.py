"""The smallest difference: exact, against published values and by counting all outcomes."""

from __future__ import annotations

from math import comb

import numpy as np
import pytest
from scipy.stats import binomtest

from graft.analysis.comparison import find_smallest_difference, measure_power


def test_the_power_of_the_manual_of_g_power():
    # G*Power 3.1 manual, "Proportions: inequality, two dependent groups (McNemar)": shares of
    # 0.08 and 0.32 discordant, 50 pairs, one-sided level 0.05: power 0.839343.
    assert measure_power(50, 0.40, 0.24, confidence=0.90) == pytest.approx(0.839343, abs=5e-5)


@pytest.mark.parametrize(("count", "worse", "better"), [(12, 0.1, 0.5), (20, 0.05, 0.3)])
def test_the_power_is_the_sum_over_all_outcomes(count, worse, better):
    expected = 0.0
    for b in range(count + 1):
        for c in range(b + 1, count - b + 1):
            if b + c and binomtest(b, b + c).pvalue <= 0.05:
                ways = comb(count, b) * comb(count - b, c)
                expected += ways * worse**b * better**c * (1 - worse - better) ** (count - b - c)
    power = measure_power(count, worse + better, better - worse, confidence=0.95)
    assert power == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("count", [30, 360, 10_000])
def test_the_smallest_difference_has_the_power_that_was_asked_for(count):
    found = find_smallest_difference(count, 0.04, 0.95)
    assert measure_power(count, max(0.04, found), found, 0.95) == pytest.approx(0.8, abs=1e-4)


def test_more_pictures_show_smaller_differences():
    found = [find_smallest_difference(count, 0.05, 0.95) for count in (50, 200, 1000, 5000)]
    assert found == sorted(found, reverse=True)


def test_the_more_the_classifiers_differ_the_harder_it_is_to_see_which_is_better():
    found = [find_smallest_difference(1000, share, 0.95) for share in (0.02, 0.1, 0.4)]
    assert found == sorted(found)


@pytest.mark.parametrize("count", [1, 2, 5])
def test_a_handful_of_pictures_shows_nothing(count):
    # Even 5 against 0 is chance once in 16 times.
    assert find_smallest_difference(count, 0.0, 0.95) is None


def test_six_pictures_show_that_one_is_always_right_and_the_other_never():
    found = find_smallest_difference(6, 0.0, 0.95)
    assert found == pytest.approx(0.8 ** (1 / 6), abs=1e-5)


def test_a_simulation_finds_the_difference_four_times_of_five():
    random = np.random.default_rng(0)
    found = find_smallest_difference(500, 0.06, 0.95)
    shares = [(0.06 - found) / 2, (0.06 + found) / 2, 1 - 0.06]
    outcomes = random.multinomial(500, shares, size=2000)
    shown = [c > b and binomtest(int(b), int(b + c)).pvalue < 0.05 for b, c, _ in outcomes]
    assert np.mean(shown) == pytest.approx(0.8, abs=0.03)
