"""Which pictures to label next: typical ones first, then doubtful ones, never two alike."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graft.analysis.next_labels import choose_doubtful, choose_next, choose_typical, foretell


def draw_groups(sizes: list[int], seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Features (n, 8) around a direction a group, and the group of each, int (n,)."""
    random = np.random.default_rng(seed)
    centres = np.eye(8)[: len(sizes)] * 5
    groups = np.repeat(np.arange(len(sizes)), sizes)
    return centres[groups] + random.normal(0, 0.3, (len(groups), 8)), groups


def test_typical_pictures_come_from_the_largest_groups_first() -> None:
    pool, groups = draw_groups([20, 40, 10])
    chosen = choose_typical(pool, np.empty((0, 8)), 3, seed=0)
    assert groups[chosen].tolist() == [1, 0, 2]


def test_a_group_with_a_label_is_asked_for_last() -> None:
    pool, groups = draw_groups([20, 40, 10])
    labelled, _ = draw_groups([0, 2], seed=1)
    chosen = choose_typical(pool, labelled, 2, seed=0)
    assert groups[chosen].tolist() == [0, 2]


def test_the_typical_picture_is_the_one_in_the_middle() -> None:
    angles = np.deg2rad([0, 10, 20, 30, 40])
    pool = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    assert choose_typical(pool, np.empty((0, 2)), 1, seed=0).tolist() == [2]


def test_doubtful_pictures_are_those_between_two_classes_and_unlike_each_other() -> None:
    pool, _ = draw_groups([30, 30, 30])
    margins = np.full(90, 0.9)
    # The ten nearest to the border, of which two are chosen, are of two groups.
    margins[[0, 1, 2, 3, 4, 30, 31, 32, 33, 34]] = 0.01 + np.arange(10) * 1e-3
    probabilities = np.stack([(1 + margins) / 2, (1 - margins) / 2], axis=1)
    chosen = choose_doubtful(pool, probabilities, 2, seed=0)
    # The most doubtful of each group: the second in doubt, which is like the first, is left out.
    assert chosen.tolist() == [0, 30]


def test_equal_pictures_are_asked_for_once_as_long_as_there_are_others() -> None:
    pool = np.concatenate([np.ones((8, 8)), np.eye(8)[:4]])
    even = np.full((12, 2), 0.5)
    chosen = choose_doubtful(pool, even, 4, seed=0)
    assert (chosen < 8).sum() == 1


def test_few_labels_ask_for_typical_pictures_more_for_doubtful_ones() -> None:
    pool, _ = draw_groups([30, 30])
    few, groups = draw_groups([1, 1], seed=1)
    found = choose_next(pool, few, (few, groups), 2, 10, typical_labels=3, seed=0)
    assert found.is_typical.tolist() == [True] * 4 + [False] * 6
    many, groups = draw_groups([5, 5], seed=1)
    found = choose_next(pool, many, (many, groups), 2, 10, typical_labels=3, seed=0)
    assert not found.is_typical.any()
    assert found.probabilities is not None


def test_labels_of_one_class_say_nothing_of_doubt() -> None:
    pool, _ = draw_groups([30, 30])
    one, groups = draw_groups([9], seed=1)
    found = choose_next(pool, one, (one, groups), 2, 10, typical_labels=0, seed=0)
    assert found.is_typical.all()
    assert found.probabilities is None


def test_a_class_without_a_label_has_probability_0() -> None:
    pool, _ = draw_groups([5, 5, 5])
    labelled, groups = draw_groups([3, 0, 3], seed=1)
    probabilities = foretell(pool, labelled, groups, 3)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1)
    assert (probabilities[:, 1] == 0).all()
    assert probabilities[:5].argmax(axis=1).tolist() == [0] * 5


@pytest.mark.filterwarnings("error")
def test_a_label_a_class_is_enough_and_warns_of_nothing() -> None:
    pool, groups = draw_groups([5, 5, 5])
    labelled, classes = draw_groups([1, 1, 1], seed=1)
    assert foretell(pool, labelled, classes, 3).argmax(axis=1).tolist() == groups.tolist()


@settings(max_examples=25, deadline=None)
@given(
    sizes=st.lists(st.integers(1, 12), min_size=1, max_size=4),
    labelled=st.lists(st.integers(0, 3), min_size=1, max_size=4),
    count=st.integers(1, 60),
    typical=st.integers(0, 3),
    seed=st.integers(0, 5),
)
def test_every_choice_is_another_picture_of_the_pool(sizes, labelled, count, typical, seed) -> None:
    pool, _ = draw_groups(sizes, seed)
    known, groups = draw_groups(labelled, seed + 1)
    found = choose_next(pool, known, (known, groups), len(labelled), count, typical, seed)
    again = choose_next(pool, known, (known, groups), len(labelled), count, typical, seed)
    assert len(found.rows) == len(set(found.rows.tolist())) == min(count, len(pool))
    assert set(found.rows.tolist()) <= set(range(len(pool)))
    assert found.is_typical.tolist() == sorted(found.is_typical, reverse=True)
    np.testing.assert_array_equal(found.rows, again.rows)


@pytest.mark.parametrize("equal", [1, 30])
def test_a_pool_of_equal_pictures_is_no_obstacle(equal: int) -> None:
    pool = np.ones((equal, 4))
    assert len(choose_typical(pool, np.empty((0, 4)), equal, seed=0)) == equal
