"""When a winner takes the default's place, and when a trial is given up."""

from __future__ import annotations

import numpy as np
import pytest

from graft.search.verdicts import Trial, find_bars, is_given_up, judge, score, tell


def _make(number: int, right: int, of: int = 100, log_loss: float = 0.5) -> Trial:
    return Trial(number, {}, right=np.arange(of) < right, log_loss=log_loss)


def test_a_winner_within_two_standard_errors_leaves_the_default() -> None:
    # Four more of a hundred are right: a gain of 4 points with an error of 1.97.
    verdict = judge([_make(0, 80), _make(1, 84)], None)
    assert verdict.winner == 1
    assert verdict.gain == pytest.approx(0.04)
    assert verdict.error == pytest.approx(np.sqrt(0.04 * 0.96 / 99))
    assert verdict.is_taken
    assert not judge([_make(0, 80), _make(1, 83)], None).is_taken


def test_pictures_that_belong_together_count_as_one() -> None:
    trials = [_make(0, 80), _make(1, 92)]
    assert judge(trials, None).is_taken
    # The twelve that it gains are one track: that is one stroke of luck.
    clusters = np.arange(100)
    clusters[80:92] = 80
    assert not judge(trials, clusters).is_taken


def test_nothing_is_shown_by_pictures_of_one_cluster() -> None:
    assert not judge([_make(0, 10), _make(1, 90)], np.zeros(100)).is_taken


def test_ties_go_to_the_lower_log_loss_and_then_to_the_earlier_trial() -> None:
    assert judge([_make(0, 80), _make(1, 80, log_loss=0.4)], None).winner == 1
    assert judge([_make(0, 80), _make(1, 80)], None).winner == 0


def test_a_trial_that_was_given_up_cannot_win() -> None:
    given_up = Trial(1, {}, steps=(0.99,), reason="below the median")
    verdict = judge([_make(0, 80), given_up], None)
    assert (verdict.winner, verdict.given_up) == (0, 1)


@pytest.mark.parametrize(
    ("right", "line"),
    [
        (80, "the default is kept: none of 2 trials is above its 0.800"),
        (82, "the default is kept: the best of 2 trials has +2.0 points (standard error 1.4)"),
        (95, "changed: the best of 2 trials has +15.0 points (standard error 3.6), more than two"),
    ],
)
def test_the_verdict_is_one_line(right: int, line: str) -> None:
    told = tell(judge([_make(0, 80), _make(1, right)], None), 0.8)
    assert told.startswith(line)
    assert "\n" not in told


def test_a_bar_is_the_median_of_those_that_came_so_far() -> None:
    ended = [Trial(n, {}, (n / 10, 0.9), np.ones(4, bool)) for n in range(8)]
    given_up = [Trial(8, {}, (0.0,), reason="below the median")]
    bars = find_bars(ended + given_up)
    assert bars == [pytest.approx(0.3), 0.9]
    assert find_bars(ended[:-1] + given_up) == []
    assert is_given_up(0.2, 0, bars)
    assert not is_given_up(0.3, 0, bars)
    assert not is_given_up(0.0, 2, bars)


def test_a_score_is_that_of_the_probabilities() -> None:
    probabilities = np.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4]], np.float32)
    trial = score(3, {}, (), np.array([0, 1, 1]), probabilities)
    assert trial.right is not None
    assert trial.right.tolist() == [True, True, False]
    assert trial.log_loss == pytest.approx(-np.log([0.9, 0.8, 0.4]).mean())
