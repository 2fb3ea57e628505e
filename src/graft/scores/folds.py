"""Folds of pictures: like in classes, and none shares a cluster with another."""

from __future__ import annotations

import warnings

import numpy as np
from sklearn.model_selection import StratifiedGroupKFold


def deal_folds(labels: np.ndarray, clusters: np.ndarray, folds: int, seed: int) -> np.ndarray:
    """Fold of every picture, by scikit-learn's ``StratifiedGroupKFold``.

    Args:
        labels: Class index of every picture, int (n,).
        clusters: Cluster of every picture, int (n,); one lies in one fold whole.
        folds: Their number; fewer if there are no so many clusters, or no class of so many
            pictures.
        seed: Of the order in which clusters are dealt out.

    Returns:
        Numbers from 0, int (n,); all 0 if there can be no second fold.

    Examples:
        >>> deal_folds(np.array([0, 0, 1, 1]), np.arange(4), folds=2, seed=0).tolist()
        [1, 0, 0, 1]
    """
    found = np.zeros(len(labels), np.int64)
    most = min(folds, len(np.unique(clusters)), int(np.bincount(labels).max(initial=0)))
    if most < 2:
        return found
    splitter = StratifiedGroupKFold(most, shuffle=True, random_state=seed)
    with warnings.catch_warnings():
        # A class with fewer pictures than folds is in some of them only.
        warnings.filterwarnings("ignore", message="The least populated class")
        for number, (_, rows) in enumerate(splitter.split(labels, labels, clusters)):
            found[rows] = number
    return found


def count_clusters(labels: np.ndarray, clusters: np.ndarray, class_count: int) -> np.ndarray:
    """How many clusters have pictures of each class, int (C,)."""
    pairs = np.unique(np.stack([labels, clusters]), axis=1)
    return np.bincount(pairs[0], minlength=class_count)
