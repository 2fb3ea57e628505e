"""Whether what a search found may take the place of what was there: the rules, as pure functions.

Measured before (docs/search.md): of twenty random heads the best on dev gained up to 7 points
there and lost up to 3 on test. Two things protect. A trial is scored by cross-validation on train
alone, whole clusters in a fold, so that many more pictures judge it than dev has and dev stays
unseen. And the default is kept unless the winner is better by more than two standard errors of
the paired difference, over whole clusters.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from graft.analysis.choosing import rank
from graft.analysis.clusters import measure_error, number_clusters
from graft.analysis.predictions import measure_losses
from graft.search.spaces import Value

# Trials of which every one runs to its end, before any is given up; and the least for importances.
FIRST, ENOUGH_FOR_IMPORTANCES = 8, 100
STANDARD_ERRORS = 2.0


@dataclass(frozen=True, eq=False)
class Trial:
    """What was tried and what it came to.

    Attributes:
        number: From 0, which is the default.
        choice: Value of every knob, by its path.
        steps: Accuracy so far, after every step at which it could have been given up.
        right: Whether each picture of train is named right by the model that has not seen it,
            bool (n,); None if it was given up.
        log_loss: Their mean; infinite if it was given up.
        reason: Why it was given up; empty if it was not.
    """

    number: int
    choice: Mapping[str, Value]
    steps: Sequence[float] = field(default_factory=tuple)
    right: np.ndarray | None = None
    log_loss: float = float("inf")
    reason: str = ""

    @property
    def accuracy(self) -> float | None:
        """Of the whole cross-validation; None if it was given up."""
        return None if self.right is None else float(self.right.mean())


def score(
    number: int,
    values: Mapping[str, Value],
    steps: Sequence[float],
    labels: np.ndarray,
    probabilities: np.ndarray,
) -> Trial:
    """A trial that has run to its end.

    Args:
        number: Of the trial.
        values: Of every knob.
        steps: Accuracy so far, after every step at which it could have been given up.
        labels: Class index of every picture of train, int (n,).
        probabilities: By the model that has not seen it (n, C).
    """
    loss = measure_losses(labels, probabilities.astype(np.float64)).mean()
    return Trial(number, values, steps, probabilities.argmax(axis=1) == labels, float(loss))


@dataclass(frozen=True)
class Verdict:
    """What became of a search.

    Attributes:
        winner: Number of the best trial.
        is_taken: Whether it takes the place of the default.
        gain: Its accuracy less that of the default, both by cross-validation.
        error: Standard error of that.
        trials: How many there were.
        given_up: How many of them were not run to their end.
    """

    winner: int
    is_taken: bool
    gain: float
    error: float
    trials: int
    given_up: int


def judge(trials: Sequence[Trial], clusters: np.ndarray | None) -> Verdict:
    """Name the best trial, and say whether it is better than the default beyond doubt.

    Args:
        trials: The first one is the default, and has run to its end.
        clusters: Cluster of every picture (n,); None if each is its own.

    Examples:
        >>> default = Trial(0, {}, right=np.arange(100) < 80, log_loss=0.5)
        >>> better = Trial(1, {}, right=np.arange(100) < 90, log_loss=0.3)
        >>> little = Trial(1, {}, right=np.arange(100) < 82, log_loss=0.3)
        >>> judge([default, better], None).is_taken, judge([default, little], None).is_taken
        (True, False)
    """
    ended = [trial for trial in trials if trial.right is not None]
    default = ended[0]
    best = min(ended, key=lambda trial: (rank(trial.accuracy or 0.0, trial.log_loss), trial.number))
    gains = _subtract(best, default)
    error = measure_error(gains, number_clusters(clusters, len(gains)))
    gain = float(gains.mean())
    # Of one cluster the error is not a number, and nothing is shown.
    is_taken = best is not default and gain > STANDARD_ERRORS * error
    return Verdict(best.number, bool(is_taken), gain, error, len(trials), len(trials) - len(ended))


def _subtract(one: Trial, other: Trial) -> np.ndarray:
    assert one.right is not None
    assert other.right is not None
    return one.right.astype(np.float64) - other.right


def tell(verdict: Verdict, default: float) -> str:
    """The verdict in one line.

    Args:
        verdict: What became of it.
        default: Accuracy of the default by cross-validation.
    """
    gain, error = 100 * verdict.gain, 100 * verdict.error
    found = (
        f"the best of {verdict.trials} trials has {gain:+.1f} points (standard error {error:.1f})"
    )
    if verdict.winner == 0:
        return f"the default is kept: none of {verdict.trials} trials is above its {default:.3f}"
    if verdict.is_taken:
        return f"changed: {found}, more than two standard errors above the default's {default:.3f}"
    return f"the default is kept: {found}, less than two standard errors above {default:.3f}"


def find_bars(trials: Sequence[Trial]) -> list[float]:
    """Accuracy below which a trial is given up, at each of its steps.

    The median of those that came so far (Golovin et al. 2017, "Google Vizier", section 3.2.2),
    once :data:`FIRST` of them ran to their end.

    Args:
        trials: All that are known.

    Returns:
        A bar a step; none, if there are too few trials to compare with.

    Examples:
        >>> known = [Trial(n, {}, steps=(0.5 + n / 100,), right=np.ones(1)) for n in range(9)]
        >>> find_bars(known), find_bars(known[:3])
        ([0.54], [])
    """
    if sum(trial.right is not None for trial in trials) < FIRST:
        return []
    longest = max(len(trial.steps) for trial in trials)
    came = [[one.steps[step] for one in trials if len(one.steps) > step] for step in range(longest)]
    return [float(np.median(values)) for values in came]


def is_given_up(accuracy: float, step: int, bars: Sequence[float]) -> bool:
    """Whether a trial that has reached so much at a step, from 0, is not worth going on with."""
    return step < len(bars) and accuracy < bars[step]
