"""Which classifier is kept: accuracy on dev, ties by log loss; the cheaper where luck decides."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from graft.analysis.choosing import Outcome, choose, find_kept, is_shown_better, rank, read_kept


def outcome(right: list[int] | np.ndarray, log_loss: float = 0.5, cost: float = 0.0) -> Outcome:
    return Outcome(np.asarray(right, bool), log_loss, cost)


def test_accuracy_comes_before_log_loss_and_that_before_cost() -> None:
    assert rank(0.9, 2.0, 9) < rank(0.8, 0.1, 0)
    assert rank(0.9, 0.1, 9) < rank(0.9, 0.2, 0)
    assert rank(0.9, 0.1, 1) < rank(0.9, 0.1, 2)


def test_a_difference_within_one_standard_error_is_luck_and_the_cheaper_one_is_kept() -> None:
    cheap = outcome(np.arange(100) >= 20, cost=1)
    one_more = outcome(np.arange(100) >= 19, log_loss=0.1, cost=5)
    two_more = outcome(np.arange(100) >= 18, log_loss=0.9, cost=5)
    assert choose([cheap, one_more]) == 0
    assert choose([cheap, two_more]) == 1


def test_the_error_is_that_of_pairs_not_of_each_alone() -> None:
    # 40 of 100 wrong: alone each is known to 5 points; together they differ by 3, surely.
    first, second = np.arange(100) >= 40, np.arange(100) >= 37
    assert is_shown_better(second, first, None)
    # As many more are right, but on pictures that change at random.
    random = np.random.default_rng(0).permutation(100)
    assert not is_shown_better(second[random], first, None)


def test_pictures_of_one_cluster_count_as_one() -> None:
    cheap, dear = outcome(np.arange(90) >= 30, cost=0), outcome(np.arange(90) >= 20, cost=9)
    assert choose([cheap, dear]) == 1
    assert choose([cheap, dear], np.arange(90) // 10) == 0
    assert choose([cheap, dear], np.zeros(90)) == 0


def test_equals_are_told_apart_by_cost_and_then_by_log_loss() -> None:
    right = np.arange(10) > 3
    assert choose([outcome(right, 0.2, 3), outcome(right, 0.4, 1)]) == 1
    assert choose([outcome(right, 0.4, 1), outcome(right, 0.2, 1)]) == 1


@given(st.lists(st.lists(st.booleans(), min_size=12, max_size=12), min_size=1, max_size=5))
def test_what_is_kept_is_never_shown_to_be_worse_than_the_best(rows: list[list[bool]]) -> None:
    outcomes = [outcome(row, cost=place) for place, row in enumerate(rows)]
    kept = outcomes[choose(outcomes)]
    best = min(outcomes, key=lambda other: other.rank)
    assert not is_shown_better(best.right, kept.right, None)
    assert kept.cost <= best.cost


@pytest.mark.parametrize(("keep", "row"), [("log_loss", 1), ("accuracy", 3)])
def test_the_epoch_that_is_kept(keep: str, row: int) -> None:
    history = pd.DataFrame({"dev_accuracy": [0.5, 0.6, 0.7, 0.7], "dev_loss": [0.9, 0.4, 0.8, 0.7]})
    assert find_kept(history, keep) == row
    assert read_kept(history.assign(kept=np.arange(4) == row)) == row
    assert read_kept(history) == 1
