"""Dealing units out: every split gets its share, as nearly as the sizes of the units allow."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from graft.pipelines.splitting.assignment import NOT_PLACED, deal_units, even_out, fill_splits

SHARES = {"train": 0.6, "dev": 0.2, "test": 0.2}


def fill(sizes, goals, places=None, fill_all=True):
    places = [NOT_PLACED] * len(sizes) if places is None else places
    return fill_splits(np.array(sizes), np.array(places), np.array(goals, float), fill_all)


def count(sizes, placed, splits=3):
    return np.bincount(placed, weights=sizes, minlength=splits).tolist()


def test_single_pictures_reach_their_goals_exactly():
    assert count([1] * 10, fill([1] * 10, [6, 2, 2])) == [6, 2, 2]


@given(
    sizes=st.lists(st.integers(1, 9), min_size=3, max_size=30),
    shares=st.lists(st.integers(1, 9), min_size=3, max_size=3),
)
@settings(deadline=None)
def test_no_split_stays_empty_whatever_the_sizes(sizes, shares):
    goals = np.array(shares) / sum(shares) * sum(sizes)
    assert set(fill(sizes, goals)) == {0, 1, 2}


@given(sizes=st.lists(st.integers(1, 9), min_size=3, max_size=30), data=st.data())
@settings(deadline=None)
def test_what_is_placed_already_stays(sizes, data):
    places = data.draw(
        st.lists(st.sampled_from([NOT_PLACED, 0, 1, 2]), min_size=len(sizes), max_size=len(sizes))
    )
    placed = fill(sizes, np.array([0.6, 0.2, 0.2]) * sum(sizes), places, fill_all=False)
    assert all(new == old for new, old in zip(placed, places, strict=True) if old != NOT_PLACED)


def test_new_units_go_where_the_placed_ones_left_a_gap():
    # Train has its six already: the four new ones are for dev and test.
    placed = fill([1] * 10, [6, 2, 2], [0] * 6 + [NOT_PLACED] * 4)
    assert sorted(placed[6:]) == [1, 1, 2, 2]


def test_evening_out_moves_a_small_unit_after_a_large_one_came_last():
    sizes, placed = np.array([1, 1, 2, 6]), np.array([0, 1, 0, 1])
    moved = even_out(sizes, placed, np.array([5.0, 5.0]), np.arange(4))
    assert count(sizes, moved, 2) == [4, 6]


@given(sizes=st.lists(st.integers(1, 6), min_size=4, max_size=7))
@settings(deadline=None)
def test_with_few_units_no_single_move_would_come_nearer(sizes):
    sizes = np.array(sizes)
    goals = np.array([0.6, 0.4]) * sizes.sum()
    placed = fill(sizes, goals)

    def miss(places):
        return np.abs(goals - np.bincount(places, weights=sizes, minlength=2)).max()

    for unit in range(len(sizes)):
        other = placed.copy()
        other[unit] = 1 - other[unit]
        if len(set(other)) == 2:
            assert miss(other) >= miss(placed) - 1e-9


def test_groups_of_equal_size_are_shared_out_as_well_as_any_way_could():
    sizes = [30] * 6
    placed = fill(sizes, [108, 36, 36])
    best = min(
        np.abs(np.array([108, 36, 36]) - count(sizes, np.array(way))).sum()
        for way in itertools.product(range(3), repeat=6)
    )
    assert np.abs(np.array([108, 36, 36]) - count(sizes, placed)).sum() == best


def make_units(labels, sizes, previous=None):
    previous = [None] * len(labels) if previous is None else previous
    return pd.DataFrame(
        {
            "label": labels,
            "size": sizes,
            "key": [f"unit {n}" for n in range(len(labels))],
            "previous": pd.Series(previous, dtype="object"),
        }
    )


def test_a_large_group_in_one_class_does_not_take_pictures_from_the_next_class():
    # Thirty pictures of one class have to go together; the other class keeps its shares.
    units = make_units(["a"] * 4 + ["b"] * 50, [30, 1, 1, 1] + [1] * 50)
    splits = deal_units(units, SHARES, "0", fill_all=True)
    sizes = units[units["label"] == "b"].groupby(splits)["size"].sum()
    assert abs(sizes["train"] - 30) <= 1
    assert abs(sizes["dev"] - 10) <= 1


def test_another_salt_deals_in_another_order():
    units = make_units(["a"] * 50, [1] * 50)
    first, second = (deal_units(units, SHARES, salt, fill_all=True) for salt in ("0", "1"))
    assert first.value_counts().to_dict() == second.value_counts().to_dict()
    assert (first != second).any()
