"""The same simple classifier trained again and again on parts of the same pictures."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

# A size that is hardly larger than the one before tells nothing new.
_LEAST_STEP = 1.3


@dataclass(frozen=True)
class Pictures:
    """Pictures by their features.

    Attributes:
        features: Float (n, D).
        labels: Class index, int (n,).
        clusters: Number of its cluster; pictures of one belong together, int (n,).
    """

    features: np.ndarray
    labels: np.ndarray
    clusters: np.ndarray


@dataclass(frozen=True)
class Refits:
    """What classifiers that were trained on parts of train have right on dev.

    Attributes:
        counts: Pictures of a part, mean over the repeats, float (k,), rising; all of train last.
        hits: Whether each picture of dev is classified rightly, bool (k, R, m); the repeats of
            the last size are one and the same.
    """

    counts: np.ndarray
    hits: np.ndarray


def refit_on_parts(train: Pictures, dev: Pictures, sizes: int, repeats: int, seed: int) -> Refits:
    """Train a ridge classifier on random parts of train, each size half of the one above it.

    Whole clusters, of each class the same share; the parts of one repeat are nested. Sizes of
    less than two pictures a class are left out, and those that are hardly smaller than the next
    because every class must have a cluster.

    Args:
        train: Pictures to train on.
        dev: Pictures to classify.
        sizes: Number of sizes, at most.
        repeats: Parts of each size.
        seed: Of the first repeat; the others count up from it.
    """
    seeds = range(seed, seed + repeats)
    places = np.stack([rank_clusters(train.labels, train.clusters, number) for number in seeds])
    smallest = 2 * len(np.unique(train.labels))
    hits = {float(len(train.labels)): classify_parts(train, dev, places[:1], 1.0)}
    for number in range(1, sizes):
        share = 0.5**number
        count = float((places <= share).sum(axis=1).mean())
        if count >= smallest and count * _LEAST_STEP <= min(hits):
            hits[count] = classify_parts(train, dev, places, share)
    counts = sorted(hits)
    shape = (repeats, len(dev.labels))
    return Refits(
        np.array(counts), np.stack([np.broadcast_to(hits[count], shape) for count in counts])
    )


def rank_clusters(labels: np.ndarray, clusters: np.ndarray, seed: int) -> np.ndarray:
    """Place of every picture in a random order of its class's clusters, float (n,), 0 to 1.

    The pictures whose place is at most s are a part with about the share s of every class. The
    first cluster of a class has place 0, so no part is without a class.

    Args:
        labels: Class index, int (n,); a cluster of two classes counts for the lower one.
        clusters: Number of its cluster, int (n,).
        seed: Of the order.
    """
    _, codes, sizes = np.unique(clusters, return_inverse=True, return_counts=True)
    kinds = np.full(len(sizes), np.iinfo(np.int64).max)
    np.minimum.at(kinds, codes, labels)
    order = np.random.default_rng(seed).permutation(len(sizes))
    order = order[np.argsort(kinds[order], kind="stable")]
    starts = np.flatnonzero(np.diff(kinds[order], prepend=-1))
    lengths = np.diff(np.append(starts, len(order)))
    before = np.cumsum(sizes[order]) - sizes[order]
    before -= np.repeat(before[starts], lengths)
    totals = np.repeat(np.add.reduceat(sizes[order], starts), lengths)
    places = np.empty(len(sizes))
    places[order] = np.where(before == 0, 0.0, (before + sizes[order] / 2) / totals)
    return places[codes]


def resample_errors(hits: np.ndarray, clusters: np.ndarray, draws: int, seed: int) -> np.ndarray:
    """Bootstrap of the mean error of each size, float (B, k).

    Clusters of dev and repeats are drawn with replacement, the same ones for every size, so
    that differences between sizes are not blurred by what the sizes share.

    Args:
        hits: Bool (k, R, m).
        clusters: Cluster of every picture of dev, int (m,).
        draws: Number B of resamples.
        seed: Of the resamples.
    """
    size_count, repeats, _ = hits.shape
    _, codes = np.unique(clusters, return_inverse=True)
    sizes = np.bincount(codes)
    right = np.stack([np.bincount(codes, row) for row in hits.reshape(size_count * repeats, -1)])
    random = np.random.default_rng(seed)
    weights = draw_counts(random, len(sizes), draws)
    found = (weights @ right.T).reshape(draws, size_count, repeats)
    means = np.einsum("bkr,br->bk", found, draw_counts(random, repeats, draws)) / repeats
    return 1 - means / (weights @ sizes)[:, None]


def draw_counts(random: np.random.Generator, count: int, draws: int) -> np.ndarray:
    """How often each of ``count`` stands in each resample, float (B, count)."""
    return random.multinomial(count, np.full(count, 1 / count), size=draws).astype(np.float64)


def classify_parts(train: Pictures, dev: Pictures, places: np.ndarray, share: float) -> np.ndarray:
    """Whether each picture of dev is classified rightly, bool (R, m), for each row of places."""
    from sklearn.linear_model import RidgeClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    rows = []
    for part in places <= share:
        # As strong as the number of features: they are as many as the pictures, or more.
        ridge = RidgeClassifier(alpha=train.features.shape[1])
        classifier = make_pipeline(StandardScaler(), ridge)
        classifier.fit(train.features[part], train.labels[part])
        rows.append(classifier.predict(dev.features) == dev.labels)
    return np.stack(rows)
