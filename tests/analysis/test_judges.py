"""One classifier stands for another where it is about as often right, and nowhere else."""

from __future__ import annotations

import numpy as np
import pytest

from graft.analysis.comparison import is_much_weaker


def have_wrong(wrong: int, count: int) -> np.ndarray:
    return np.arange(count) >= wrong


@pytest.mark.parametrize(
    ("judge", "champion", "count", "weaker"),
    [
        (0, 300, 1000, False),  # better
        (93, 93, 1000, False),
        (143, 93, 1000, False),  # five points
        (144, 93, 1000, True),
        (25, 10, 1000, False),  # half of the error more and a point
        (26, 10, 1000, True),
        (2, 0, 40, False),  # two pictures are nothing
        (3, 0, 40, True),
        (592, 93, 1000, True),
    ],
)
def test_the_more_often_the_other_is_right_the_less_may_be_missing(judge, champion, count, weaker):
    assert is_much_weaker(have_wrong(judge, count), have_wrong(champion, count)) is weaker


def test_without_a_picture_to_compare_on_nobody_stands_for_anybody():
    assert is_much_weaker(np.zeros(0, bool), np.zeros(0, bool))
