"""ROC and precision-recall curves, one class against the rest."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from sklearn import config_context
from sklearn.metrics import auc, precision_recall_curve, roc_curve

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
