"""Would more labels help? What a few more would gain, from the labels that there are.

A simple classifier is trained on growing parts of the labelled pictures and measured on the rest
of them, again and again; power laws through its errors (:mod:`graft.analysis.learning_curve`)
say how they would go on. A law with a floor foretells less than one without, and a few hundred
pictures do not tell which is right: the interval spans both.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from graft.analysis.clusters import FEW_CLUSTERS
from graft.analysis.learning_curve import fit_power_laws
from graft.analysis.refits import Pictures, classify_parts, draw_counts, rank_clusters

# Clusters that are measured, and parts of the others to train on.
_MEASURED = 0.2
_SHARES = np.array([0.125, 0.18, 0.25, 0.35, 0.5, 0.7, 1.0])
_LEAST_SIZES, _REPEATS, _DRAWS = 4, 16, 400
_COVERAGE = 0.95
# Labels a class, on average, below which a part lacks what the classes look like.
_LEAST_LABELS = 5
# Share of labels that were asked for from which on that is told.
_MANY_CHOSEN = 0.1
# More pictures make the parts no better.
_MOST = 2000


@dataclass(frozen=True)
class Gain:
    """What more labels would gain, in shares of pictures.

    Attributes:
        gain: Fall of the error; NaN where it cannot be told.
        low: Lower end of its interval of 95 %.
        high: Upper end.
        withheld: Why it cannot be told; empty where it can.
    """

    gain: float
    low: float
    high: float
    withheld: str = ""


def foretell_gain(pictures: Pictures, train: int, more: int, seed: int) -> Gain:
    """How much less often a classifier on frozen features would be wrong with more labels.

    Args:
        pictures: Labelled ones that may be looked at: those of train and dev.
        train: Number of pictures that are trained on now.
        more: So many more would be trained on.
        seed: Of the parts and of the resamples.
    """
    pictures = _sample(pictures, seed)
    count, classes = len(pictures.labels), len(np.unique(pictures.labels))
    clusters = len(np.unique(pictures.clusters))
    shares = _SHARES[_SHARES * (1 - _MEASURED) * count >= 2 * classes]
    if classes < 2:
        return _withhold("fewer than two classes have labels")
    if clusters < FEW_CLUSTERS:
        return _withhold(f"fewer than {FEW_CLUSTERS} pictures that are not tied to others")
    if count < _LEAST_LABELS * classes or len(shares) < _LEAST_SIZES:
        return _withhold(f"{count:,} labels of {classes:,} classes outside test are too few")
    sizes, wrong, asked = _measure(pictures, shares, seed)
    errors = wrong.sum(axis=(1, 2)) / asked.sum()
    if not errors[-1]:
        return _withhold("a simple classifier makes no mistake on the labels that there are")
    samples = _resample(wrong, asked, pictures.clusters, seed)
    weights = 1 / (samples.var(axis=0) + 0.25 / count**2)
    goals = np.array([train, train + more], np.float64)
    found = []
    for with_floor in (False, True):
        laws = fit_power_laws(sizes, np.vstack([errors, samples]), weights, with_floor)
        now, then = laws.predict(goals).T
        found.append(now - then)
    tail = (1 - _COVERAGE) / 2
    low = min(np.quantile(gains[1:], tail) for gains in found)
    high = max(np.quantile(gains[1:], 1 - tail) for gains in found)
    return Gain(float(np.mean([gains[0] for gains in found])), float(low), float(high))


def describe_gain(found: Gain, labels: int, chosen: float = 0) -> str:
    """The sentence for terminal and page.

    Args:
        found: The gain.
        labels: Of so many more labels.
        chosen: Share of the labels that somebody was asked for, as doubtful or typical.
            Doubtful pictures are harder than others, and promise more than comes true:
            ``benchmarks/more_labels.py``.

    Examples:
        >>> describe_gain(Gain(0.006, 0.001, 0.012), 50)
        'Another 50 labels would gain about 0.6 points of accuracy (0.1 to 1.2).'
        >>> describe_gain(Gain(0.0004, 0, 0.002), 50)
        'Another 50 labels would gain at most 0.2 points of accuracy.'
    """
    if found.withheld:
        return f"What more labels would gain cannot be told: {found.withheld}."
    gain, low, high = (f"{100 * value:.1f}" for value in (found.gain, found.low, found.high))
    more = f"Another {labels:,} labels would gain"
    told = f"{more} about {gain} points of accuracy ({low} to {high})."
    if low == "0.0" and gain == "0.0":
        told = f"{more} at most {high} points of accuracy."
    if chosen >= _MANY_CHOSEN:
        told += (
            f" Rather less: {100 * chosen:.0f} % of the labels were asked for, and pictures that "
            "are asked for are harder than others."
        )
    return told


def _withhold(reason: str) -> Gain:
    return Gain(np.nan, np.nan, np.nan, reason)


def _sample(pictures: Pictures, seed: int) -> Pictures:
    """All pictures, or a random share of the clusters of each class up to about the limit."""
    if len(pictures.labels) <= _MOST:
        return pictures
    places = rank_clusters(pictures.labels, pictures.clusters, seed)
    kept = places <= _MOST / len(places)
    return _take(pictures, kept)


def _measure(
    pictures: Pictures, shares: np.ndarray, seed: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Train on parts and classify the rest.

    Returns:
        Mean pictures of a part (k,); whether a picture was classified wrongly, bool (k, R, n);
        whether it was classified at all in a repeat, bool (R, n).
    """
    asked = np.zeros((_REPEATS, len(pictures.labels)), bool)
    wrong = np.zeros((len(shares), *asked.shape), bool)
    sizes = np.zeros((len(shares), _REPEATS))
    for repeat, own in enumerate(np.random.SeedSequence(seed).generate_state(_REPEATS)):
        rest = _hold_out(pictures, int(own))
        asked[repeat] = rest
        train, held_out = _take(pictures, ~rest), _take(pictures, rest)
        places = rank_clusters(train.labels, train.clusters, int(own))[None]
        for number, share in enumerate(shares):
            sizes[number, repeat] = (places <= share).sum()
            wrong[number, repeat, rest] = ~classify_parts(train, held_out, places, share)[0]
    return sizes.mean(axis=1), wrong, asked


def _hold_out(pictures: Pictures, seed: int) -> np.ndarray:
    """A fifth of the clusters, of all classes alike, bool (n,); one of each class stays out of it.

    By the share of each class, as parts of train are drawn, rare classes would never be measured.
    """
    kept = pictures.clusters[rank_clusters(pictures.labels, pictures.clusters, seed) == 0]
    every = np.unique(pictures.clusters)
    free = np.random.default_rng(seed).permutation(np.setdiff1d(every, kept))
    return np.isin(pictures.clusters, free[: max(1, round(_MEASURED * len(every)))])


def _take(pictures: Pictures, rows: np.ndarray) -> Pictures:
    return Pictures(pictures.features[rows], pictures.labels[rows], pictures.clusters[rows])


def _resample(wrong: np.ndarray, asked: np.ndarray, clusters: np.ndarray, seed: int) -> np.ndarray:
    """Errors (B, k) on resamples of clusters and repeats, the same ones for every size."""
    _, codes = np.unique(clusters, return_inverse=True)
    per_cluster = np.stack(
        [[np.bincount(codes, row, codes.max() + 1) for row in rows] for rows in (*wrong, asked)]
    )
    random = np.random.default_rng(seed)
    of_clusters = draw_counts(random, codes.max() + 1, _DRAWS)
    of_repeats = draw_counts(random, len(asked), _DRAWS)
    *wrongs, total = (((of_clusters @ rows.T) * of_repeats).sum(axis=1) for rows in per_cluster)
    return np.stack(wrongs, axis=1) / np.maximum(total, 1)[:, None]
