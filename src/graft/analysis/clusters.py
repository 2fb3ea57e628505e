"""Pictures that belong together tell less than as many that do not: clusters, and folds of them.

A cluster is a track, a group or a set of duplicates. Another sample of pictures would bring other
clusters, not other pictures of the same ones; so clusters are what is resampled, and what degrees
of freedom are counted in. Where every cluster is one picture, all here is what it is for pictures.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence

import numpy as np

# Weights of all draws at once would grow with draws × pictures; a chunk stays at 32 MB.
_CHUNK_NUMBERS = 4_000_000
# With fewer clusters in dev one of them is more than three points, and one standard error, which
# two clusters can make, is what luck makes: folds of train and dev are then asked in its place.
FEW_CLUSTERS = 30


def has_few_clusters(clusters: Sequence[int] | np.ndarray) -> bool:
    """Whether dev is too small to choose by.

    Args:
        clusters: Cluster of every picture of dev.
    """
    return len(np.unique(clusters)) < FEW_CLUSTERS


def number_clusters(clusters: np.ndarray | None, count: int) -> np.ndarray:
    """Clusters as numbers from 0 in the order of their first picture, int (n,).

    Args:
        clusters: Name or number of the cluster of every picture; None if each is its own.
        count: Number of pictures.

    Examples:
        >>> number_clusters(np.array([7, 3, 7, 5]), 4).tolist()
        [0, 1, 0, 2]
    """
    if clusters is None:
        return np.arange(count)
    _, first, places = np.unique(np.asarray(clusters), return_index=True, return_inverse=True)
    return np.argsort(np.argsort(first))[places]


def draw_weights(codes: np.ndarray, draws: int, seed: int) -> Iterator[np.ndarray]:
    """How often every cluster stands in every resample, float (b, G), a chunk at a time.

    Args:
        codes: Cluster of every picture, from :func:`number_clusters`.
        draws: Number of resamples.
        seed: Seed; a chunk's size changes nothing.
    """
    random = np.random.default_rng(seed)
    count = int(codes.max()) + 1
    chunk = max(1, _CHUNK_NUMBERS // len(codes))
    for start in range(0, draws, chunk):
        size = min(chunk, draws - start)
        yield random.multinomial(count, np.full(count, 1 / count), size=size).astype(np.float64)


def measure_error(values: np.ndarray, codes: np.ndarray) -> float:
    """Standard error of a mean over pictures that come in clusters; NaN with one cluster.

    Linearised for a ratio, with G / (G - 1) for G clusters (Cochran, Sampling Techniques, 1977,
    section 9A); with clusters of one picture it is the usual one.

    Args:
        values: A number a picture, float (n,).
        codes: Cluster of every picture.
    """
    sums = np.bincount(codes, values - values.mean())
    if len(sums) < 2:
        return float("nan")
    return float(np.sqrt(len(sums) / (len(sums) - 1) * np.sum(sums**2)) / len(values))


def count_effective(values: np.ndarray, codes: np.ndarray) -> float:
    """How many pictures without clusters would give the mean as exactly; at most n.

    The number of pictures over the design effect (Kish, Survey Sampling, 1965). Without any spread,
    where the design effect is unknown, pictures of one cluster are taken to be all alike.

    Examples:
        >>> round(count_effective(np.array([1.0, 1, 0, 0, 1, 1]), np.array([0, 0, 1, 1, 2, 2])), 9)
        2.0
    """
    count = len(values)
    if codes.max() + 1 == count:
        return float(count)
    error, variance = measure_error(values, codes), values.var()
    if not error > 0:
        return weigh_clusters(codes)
    return float(min(variance / error**2, count))


def weigh_clusters(codes: np.ndarray) -> float:
    """Kish's number of clusters: (Σ m)² / Σ m² of their sizes m; the number if all are alike."""
    sizes = np.bincount(codes)
    sizes = sizes[sizes > 0]
    return float(sizes.sum() ** 2 / np.sum(sizes.astype(np.float64) ** 2))


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
    from sklearn.model_selection import StratifiedGroupKFold

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
