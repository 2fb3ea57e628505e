"""Which of several classifiers is kept: one rule for epochs, recipes and candidates.

The rule is accuracy on dev, ties by log loss, then by cost. Choosing by log loss alone takes the
timid one: a network trained far has most pictures right and is too sure of the rest, so that its
log loss is high while its accuracy is 8 to 11 points better (measured on traffic signs, see
docs/training.md). The temperature that calibration finds mends the first and not the second.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from graft.analysis.clusters import measure_error, number_clusters

Rank = tuple[float, float, float]


def rank(accuracy: float, log_loss: float, cost: float = 0.0) -> Rank:
    """What to sort by; the smallest is the best.

    Examples:
        >>> min(rank(0.9, 0.5), rank(0.9, 0.3), rank(0.8, 0.1))
        (-0.9, 0.3, 0.0)
    """
    return -accuracy, log_loss, cost


def find_kept(history: pd.DataFrame, keep: str = "log_loss") -> int:
    """Row of the epoch whose weights stay.

    Args:
        history: Columns ``dev_accuracy`` and ``dev_loss``, a row an epoch.
        keep: ``log_loss`` or ``accuracy``, as ``keep`` of a training says.
    """
    if keep == "log_loss":
        return int(history["dev_loss"].to_numpy().argmin())
    pairs = zip(history["dev_accuracy"], history["dev_loss"], strict=True)
    ranks = [rank(*pair) for pair in pairs]
    return ranks.index(min(ranks))


def read_kept(history: pd.DataFrame) -> int:
    """Row of the epoch whose weights stayed: marked in a column ``kept``, or by log loss."""
    if "kept" in history:
        return int(history["kept"].to_numpy(bool).argmax())
    return find_kept(history)


@dataclass(frozen=True, eq=False)
class Outcome:
    """What a classifier did on dev, and what making it cost.

    Attributes:
        right: Whether each picture is named right, bool (n,).
        log_loss: Their mean.
        cost: In any unit that all share.
    """

    right: np.ndarray
    log_loss: float
    cost: float

    @property
    def rank(self) -> Rank:
        """By accuracy, log loss, cost."""
        return rank(float(self.right.mean()), self.log_loss, self.cost)


def is_shown_better(better: np.ndarray, worse: np.ndarray, clusters: np.ndarray | None) -> bool:
    """Whether one classifier has more pictures right by more than a standard error.

    Both saw the same pictures, so that the error is that of the paired difference, over whole
    clusters.

    Args:
        better: Whether each picture is named right by the one, bool (n,).
        worse: The same of the other.
        clusters: Cluster of every picture (n,); None if each is its own.

    Examples:
        >>> none, two = np.zeros(50, bool), np.arange(50) < 2
        >>> is_shown_better(two, none, None), is_shown_better(two, none, np.arange(50) // 2)
        (True, False)
    """
    gains = better.astype(np.float64) - worse
    error = measure_error(gains, number_clusters(clusters, len(gains)))
    # With one cluster the error is not a number, and nothing is shown; half a picture in a
    # million is rounding: a single picture or cluster is one error exactly.
    return bool(gains.mean() > error * (1 + 1e-6) + 1e-12)


def choose(outcomes: Sequence[Outcome], clusters: np.ndarray | None = None) -> int:
    """The cheapest that the best one does not beat by more than a standard error.

    One standard error, as for the size of a tree (Breiman et al., Classification and Regression
    Trees, 1984, section 3.4.3): of several that dev cannot tell apart the best is a matter of
    luck, the cheapest is not.

    Args:
        outcomes: On the same pictures in the same order.
        clusters: Cluster of every picture.

    Returns:
        Its place.
    """
    best = min(range(len(outcomes)), key=lambda place: outcomes[place].rank)
    equals = [
        place
        for place, outcome in enumerate(outcomes)
        if not is_shown_better(outcomes[best].right, outcome.right, clusters)
    ]
    return min({best, *equals}, key=lambda place: (outcomes[place].cost, outcomes[place].rank))
