"""Thresholds: curves over all of them, and those that dev chooses: to say yes, or nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from graft.analysis.intervals import wilson_interval

_SHARES = np.linspace(1, 0.05, 39)


def list_cuts(scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Every way to cut scores in two that are at least a threshold, and the rest.

    Args:
        scores: 0 to 1, float (n,).

    Returns:
        Thresholds, falling, float (k,), and the number of scores that each accepts, int (k,).
        A threshold lies midway between two scores; the last one is 0 and accepts all.

    Examples:
        >>> [list(map(float, part)) for part in list_cuts(np.array([0.5, 0.9, 0.5, 0.7]))]
        [[0.8, 0.6, 0.0], [1.0, 2.0, 4.0]]
    """
    distinct, counts = np.unique(scores, return_counts=True)
    distinct, counts = distinct[::-1], counts[::-1]
    middles = (distinct[:-1] + distinct[1:]) / 2
    # Between two neighbouring floats there is no middle.
    middles = np.where(middles > distinct[1:], middles, distinct[:-1])
    return np.append(middles, 0.0), np.cumsum(counts)


def choose_by_cost(
    scores: np.ndarray, positive: np.ndarray, false_positive: float, false_negative: float
) -> float:
    """The threshold with the lowest cost on the given pictures.

    Of several, the one nearest to what would be best if the scores were true probabilities,
    ``false_positive / (false_positive + false_negative)`` (Elkan, "The foundations of
    cost-sensitive learning", IJCAI 2001).

    Args:
        scores: Probability of the positive class, float (n,).
        positive: Whether a picture is of that class, bool (n,).
        false_positive: Cost of a false alarm.
        false_negative: Cost of a miss.

    Examples:
        >>> scores, positive = np.array([0.2, 0.4, 0.6]), np.array([False, True, True])
        >>> round(choose_by_cost(scores, positive, 1.0, 9.0), 2)
        0.3
    """
    in_theory = false_positive / (false_positive + false_negative)
    cuts, _ = list_cuts(scores)
    highest = float(scores.max())
    never = (highest + 1) / 2 if highest < 1 else float(np.nextafter(1, 2))
    candidates = np.concatenate([[never, in_theory], cuts])
    alarms = _count_from(scores[~positive], candidates)
    misses = positive.sum() - _count_from(scores[positive], candidates)
    costs = alarms * false_positive + misses * false_negative
    best = candidates[costs <= costs.min() * (1 + 1e-12)]
    return float(best[np.abs(best - in_theory).argmin()])


def measure_yes_or_no(
    scores: np.ndarray, positive: np.ndarray, threshold: float, coverage: float
) -> dict[str, Any]:
    """What a threshold of the positive class does: counts, precision and recall.

    Returns:
        ``n``, ``true_positive``, ``false_positive``, ``false_negative``, ``true_negative``,
        and ``precision`` and ``recall`` with Wilson's interval; None where nothing counts.
    """
    yes = scores >= threshold
    hits, alarms = int((yes & positive).sum()), int((yes & ~positive).sum())
    misses = int((~yes & positive).sum())
    return {
        "n": len(scores),
        "true_positive": hits,
        "false_positive": alarms,
        "false_negative": misses,
        "true_negative": len(scores) - hits - alarms - misses,
        "precision": measure_share(hits, hits + alarms, coverage),
        "recall": measure_share(hits, hits + misses, coverage),
    }


def measure_answers(
    confidences: np.ndarray, right: np.ndarray, threshold: float, coverage: float
) -> dict[str, Any]:
    """What answering only from a confidence on does.

    Returns:
        ``n``: pictures answered; ``coverage``: their share; ``accuracy`` on them, with Wilson's
        interval; None if none is answered.
    """
    answered = confidences >= threshold
    count = int(answered.sum())
    return {
        "n": count,
        "coverage": count / len(confidences),
        "accuracy": measure_share(int(right[answered].sum()), count, coverage),
    }


def trace_abstention(
    dev: tuple[np.ndarray, np.ndarray], test: tuple[np.ndarray, np.ndarray], coverage: float
) -> list[dict[str, Any]]:
    """Accuracy against the share of pictures that is answered, thresholds from dev.

    Sources: Chow, "On optimum recognition error and reject tradeoff", 1970; El-Yaniv and Wiener,
    "On the foundations of noise-free selective classification", JMLR 11, 2010.

    Args:
        dev: Confidences, float (n,), and whether the predicted class is right, bool (n,).
        test: The same.
        coverage: Of the intervals.

    Returns:
        A row a threshold, from answering all of dev to answering a twentieth: ``threshold``,
        ``dev`` and ``test`` (see :func:`measure_answers`).
    """
    cuts, counts = list_cuts(dev[0])
    wanted = np.ceil(_SHARES * len(dev[0]) - 1e-9)
    chosen = np.unique(np.searchsorted(counts, wanted))[::-1]
    return [
        {
            "threshold": float(cuts[place]),
            "dev": measure_answers(*dev, float(cuts[place]), coverage),
            "test": measure_answers(*test, float(cuts[place]), coverage),
        }
        for place in chosen
    ]


def select_shares(rows: list[dict[str, Any]], shares: Sequence[float]) -> list[int]:
    """Places of the rows of :func:`trace_abstention` that answer some shares of dev, or just more.

    A row is named once, though several shares may lead to it.
    """
    answered = np.array([row["dev"]["coverage"] for row in rows])
    places = [int(np.flatnonzero(answered >= share - 1e-9)[-1]) for share in shares]
    return list(dict.fromkeys(places))


def measure_share(hits: int, count: int, coverage: float) -> dict[str, float] | None:
    """A share with Wilson's interval; None of nothing."""
    if not count:
        return None
    low, high = wilson_interval(hits, count, coverage)
    return {"value": hits / count, "low": low, "high": high}


def _count_from(scores: np.ndarray, thresholds: np.ndarray) -> np.ndarray:
    """How many scores are at least each threshold, int (k,)."""
    return len(scores) - np.searchsorted(np.sort(scores), thresholds, side="left")


GRID = np.linspace(0, 1, 201)


@dataclass(frozen=True)
class ClassCurve:
    """Curves of one class against the rest.

    Attributes:
        index: Of the class.
        count: Its pictures.
        false_positives: Share of the others that is taken for it, rising, float (k,).
        true_positives: Share of its own that is found, float (k,).
        precision: Share of what is taken for it that is, float (m,).
        recall: Share of its own that is found, rising, float (m,).
        area: Under the ROC curve.
        average_precision: Mean precision, weighted by the gain in recall.
    """

    index: int
    count: int
    false_positives: np.ndarray
    true_positives: np.ndarray
    precision: np.ndarray
    recall: np.ndarray
    area: float
    average_precision: float


def trace_class_curves(labels: np.ndarray, probabilities: np.ndarray) -> list[ClassCurve]:
    """Curves of every class that has pictures and is not the only one that has.

    The points are scikit-learn's. Sources: Fawcett, "An introduction to ROC analysis", Pattern
    Recognition Letters 27, 2006; Davis and Goadrich, "The relationship between precision-recall
    and ROC curves", ICML 2006.

    Args:
        labels: Class index of every picture, int (n,).
        probabilities: Float (n, C).
    """
    from sklearn import config_context
    from sklearn.metrics import auc, precision_recall_curve, roc_curve

    counts = np.bincount(labels, minlength=probabilities.shape[1])
    curves = []
    # Checking every argument again would double the time of 1,000 classes.
    with config_context(assume_finite=True, skip_parameter_validation=True):
        for index in np.flatnonzero((counts > 0) & (counts < len(labels))):
            positive, scores = labels == index, probabilities[:, index]
            away, found, _ = roc_curve(positive, scores)
            precision, recall, _ = precision_recall_curve(positive, scores, drop_intermediate=True)
            precision, recall = precision[::-1], recall[::-1]
            curves.append(
                ClassCurve(
                    index=int(index),
                    count=int(counts[index]),
                    false_positives=away,
                    true_positives=found,
                    precision=precision,
                    recall=recall,
                    area=float(auc(away, found)),
                    average_precision=float(np.diff(recall) @ precision[1:]),
                )
            )
    return curves


def sample_roc(curve: ClassCurve) -> np.ndarray:
    """True positives at the false positives of ``GRID``, float (201,); the upper end of steps."""
    places = np.searchsorted(curve.false_positives, GRID, side="right")
    sampled = np.interp(GRID, curve.false_positives, curve.true_positives)
    return np.maximum(sampled, curve.true_positives[places - 1])


def sample_precision(curve: ClassCurve) -> np.ndarray:
    """Precision at the recalls of ``GRID``, float (201,); a step holds up to its end."""
    return curve.precision[np.searchsorted(curve.recall, GRID - 1e-12)]
