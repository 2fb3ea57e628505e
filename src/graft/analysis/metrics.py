"""Figures of merit of a classifier, each computed for many resamples of the pictures at once.

A metric takes the weight of every picture in every resample, so its bootstrap distribution
costs a few matrix products. With all weights 1 the values are scikit-learn's.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd

from graft.analysis.predictions import measure_losses

# (label indices (n,), probabilities (n, C), weights (B, n)) -> values (B,)
Metric = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]
METRICS: dict[str, Metric] = {}
# With fewer pictures a class than this, to compare every pair costs less than to sort them.
_PAIRS_PAY = 200
_BLOCK_NUMBERS = 2_000_000


def register_metric(name: str) -> Callable[[Metric], Metric]:
    """Add a metric under the name that it has in ``metrics.json`` and in the report."""

    def register(metric: Metric) -> Metric:
        METRICS[name] = metric
        return metric

    return register


@register_metric("accuracy")
def measure_accuracy(
    labels: np.ndarray, probabilities: np.ndarray, weights: np.ndarray
) -> np.ndarray:
    """Share of pictures whose most probable class is the right one."""
    right = probabilities.argmax(axis=1) == labels
    return weights @ right / weights.sum(axis=1)


@register_metric("balanced_accuracy")
def measure_balanced_accuracy(
    labels: np.ndarray, probabilities: np.ndarray, weights: np.ndarray
) -> np.ndarray:
    """Mean recall of the classes that occur among the labels."""
    hits, support, _ = _count_by_class(labels, probabilities, weights)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.nanmean(hits / support, axis=1)


@register_metric("macro_f1")
def measure_macro_f1(
    labels: np.ndarray, probabilities: np.ndarray, weights: np.ndarray
) -> np.ndarray:
    """Mean F1 score of the classes that occur among labels or predictions."""
    hits, support, predicted = _count_by_class(labels, probabilities, weights)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.nanmean(2 * hits / (support + predicted), axis=1)


@register_metric("roc_auc")
def measure_roc_auc(
    labels: np.ndarray, probabilities: np.ndarray, weights: np.ndarray
) -> np.ndarray:
    """Area under the ROC curve: of class 1 if there are two, else one class against the rest.

    The mean is over the classes that have pictures on both sides; ties count one half.
    Source: Fawcett, "An introduction to ROC analysis", Pattern Recognition Letters 27, 2006.
    """
    class_count = probabilities.shape[1]
    if class_count > 2 and len(labels) < _PAIRS_PAY * class_count:
        stacked = _measure_areas_by_pairs(labels, probabilities, weights)
    else:
        classes = [1] if class_count == 2 else range(class_count)
        stacked = np.stack(
            [_measure_area(labels == number, probabilities[:, number], weights)
             for number in classes]
        )  # fmt: skip
    known = ~np.isnan(stacked)
    with np.errstate(invalid="ignore"):
        return np.where(known, stacked, 0).sum(axis=0) / known.sum(axis=0)


@register_metric("log_loss")
def measure_mean_loss(
    labels: np.ndarray, probabilities: np.ndarray, weights: np.ndarray
) -> np.ndarray:
    """Mean negative natural logarithm of the probability given to the right class."""
    return weights @ measure_losses(labels, probabilities) / weights.sum(axis=1)


def _count_by_class(
    labels: np.ndarray, probabilities: np.ndarray, weights: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Hits, label counts and prediction counts of every class, each (B, C)."""
    identity = np.eye(probabilities.shape[1])
    true, predicted = identity[labels], identity[probabilities.argmax(axis=1)]
    return weights @ (true * predicted), weights @ true, weights @ predicted


def _measure_area(positive: np.ndarray, scores: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Area under one ROC curve for every row of weights; NaN where one side is empty."""
    order = np.argsort(scores, kind="stable")
    starts = np.flatnonzero(np.diff(scores[order], prepend=-np.inf))
    above = np.add.reduceat(weights[:, order] * positive[order], starts, axis=1)
    below = np.add.reduceat(weights[:, order] * ~positive[order], starts, axis=1)
    beaten = np.cumsum(below, axis=1) - below / 2
    with np.errstate(invalid="ignore", divide="ignore"):
        return (above * beaten).sum(axis=1) / (above.sum(axis=1) * below.sum(axis=1))


def _measure_areas_by_pairs(
    labels: np.ndarray, probabilities: np.ndarray, weights: np.ndarray
) -> np.ndarray:
    """Area of each class against the rest, float (C, B); NaN where one side is empty.

    A picture is of one class, so it is compared with all others by one column alone: n × n pairs
    however many classes there are, and one matrix product for all resamples.
    """
    count, class_count = probabilities.shape
    won = np.zeros((class_count, len(weights)))
    step = max(1, _BLOCK_NUMBERS // count)
    for start in range(0, count, step):
        rows = np.arange(start, min(start + step, count))
        own = probabilities[rows, labels[rows]][:, None]
        others = probabilities[:, labels[rows]].T
        beats = (others < own) + (others == own) / 2
        beats[labels[rows][:, None] == labels[None, :]] = 0
        np.add.at(won, labels[rows], (beats @ weights.T) * weights.T[rows])
    identity = np.eye(class_count)[labels]
    above = (weights @ identity).T
    below = weights.sum(axis=1) - above
    with np.errstate(invalid="ignore", divide="ignore"):
        return won / (above * below)


def tabulate_classes(
    labels: pd.Series, predicted: pd.Series, class_names: list[str]
) -> pd.DataFrame:
    """Precision, recall, F1 and number of pictures of every class.

    Returns:
        Columns ``class``, ``precision``, ``recall``, ``f1``, ``support``, in the order of
        ``class_names``. A class that is never predicted has precision 0.
    """
    from sklearn.metrics import precision_recall_fscore_support

    precision, recall, f1, support = precision_recall_fscore_support(
        labels, predicted, labels=class_names, zero_division=0
    )
    return pd.DataFrame(
        {
            "class": class_names,
            "precision": precision,
            "recall": recall,
            "f1": f1,
            "support": support,
        }
    )


def count_confusions(
    labels: pd.Series, predicted: pd.Series, class_names: list[str]
) -> pd.DataFrame:
    """Confusion matrix: a row a true class, a column a predicted one, pictures counted."""
    from sklearn.metrics import confusion_matrix

    counts = confusion_matrix(labels, predicted, labels=class_names)
    return pd.DataFrame(counts, index=class_names, columns=class_names)


def condense_confusions(counts: pd.DataFrame, kept: int) -> pd.DataFrame:
    """The classes that are confused most, and all others in one last row and column.

    Args:
        counts: As of :func:`count_confusions`.
        kept: Classes that keep a row and a column of their own; in their order.

    Returns:
        Pictures by true class and predicted class, float (kept + 1, kept + 1); the last name is
        ``976 other classes``. What others have to do among themselves is missing (NaN).
    """
    values = counts.to_numpy(np.float64)
    wrong = values - np.diag(np.diag(values))
    mistakes = wrong.sum(axis=0) + wrong.sum(axis=1)
    chosen = np.sort(np.argsort(-mistakes, kind="stable")[:kept])
    others = np.setdiff1d(np.arange(len(values)), chosen)
    table = np.full((kept + 1, kept + 1), np.nan)
    table[:kept, :kept] = values[np.ix_(chosen, chosen)]
    table[:kept, kept] = values[np.ix_(chosen, others)].sum(axis=1)
    table[kept, :kept] = values[np.ix_(others, chosen)].sum(axis=0)
    names = [*counts.index[chosen], f"{len(others):,} other classes"]
    return pd.DataFrame(table, index=names, columns=names)
