"""How many labels are wrong, or that this cannot be told from what a classifier says.

A classifier contradicts labels that are wrong, and, by its own mistakes, labels that are right.
The two differ in one thing: its own mistakes get rarer the surer it is; wrong labels do not. So
each label is taken to be right with the probability 1 - ρ, and else any other class (Natarajan et
al., "Learning with noisy labels", NeurIPS 2013; Patrini et al., "Making deep neural networks
robust to label noise", CVPR 2017), and the classifier to give the right class with its own
probability at some temperature (Guo et al., ICML 2017):

    P(label) = (1 - ρ) q(label) + ρ (1 - q(label)) / (C - 1),   q = softmax(log p / T)

ρ and T are those of the highest likelihood. The interval of ρ is that of its profile likelihood,
T free (Wilks 1938), so that it is wide where both explanations fit; for pictures that belong
together it is widened by the design effect of the score (Rotnitzky and Jewell, Biometrika 77,
1990). ``benchmarks/label_issues.py`` holds it against simulated classifiers.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy
from scipy.special import expit, logsumexp, softmax

from graft.analysis.clusters import number_clusters
from graft.analysis.temperature import take_logarithms

# A number is told only if it is within this factor of all that may be.
FACTOR = 2.0
# So few wrong labels are as good as none: then only the most that may be is told.
FEW = 0.02
# Where less of the contradictions is due to the labels, the estimate hangs on how well a single
# temperature describes the classifier's own mistakes.
LEAST_SHARE = 1 / 3
# Of right labels a classifier may contradict so many as surely as wrong ones.
SURE_MISTAKES = 0.01
# A classifier that has learnt from wrong labels expects them: it is never sure, and nothing
# contradicts what it expects. What the surest tenth leaves open may be such labels.
_SURE_PART = 0.9

_TEMPERATURES = np.geomspace(0.05, 20, 41)
_SHARES = np.concatenate([[0], np.geomspace(5e-4, 0.6, 160)])
# Likelihoods depend on a picture by one logit alone, counted in bins; beyond ±40 nothing changes.
_CENTRES = np.linspace(-40, 40, 1601)


@dataclass(frozen=True)
class WrongLabels:
    """What a classifier's probabilities say of the labels of pictures it has not learnt.

    Attributes:
        verdict: ``about``: ``share`` of the labels is wrong; ``at_most``: hardly any, ``high`` at
            most; ``withheld``: its own mistakes explain what it contradicts as well, or too few
            pictures are at hand.
        share: The likeliest share of wrong labels, 0 to 0.6.
        low: Low end of its interval.
        high: High end, with what the classifier may have learnt to expect.
        contradicted: Share of the labels that are not its most probable class.
    """

    verdict: str
    share: float
    low: float
    high: float
    contradicted: float


def estimate_wrong_labels(
    labels: np.ndarray, probabilities: np.ndarray, clusters: np.ndarray, coverage: float
) -> WrongLabels:
    """Estimate the share of wrong labels by maximum likelihood, and judge whether to tell it.

    Wrong labels that follow from the picture (all wolves in snow are called huskies) are learnt
    with the rest and are not among them.

    Args:
        labels: Class index of every picture, int (n,), n at least 1.
        probabilities: Of pictures it has not learnt, float (n, C), C at least 2.
        clusters: Cluster of every picture, int (n,).
        coverage: Of the interval.
    """
    contradicted = float((probabilities.argmax(axis=1) != labels).mean())
    fit = _fit(labels, probabilities, clusters, coverage)
    logarithms = take_logarithms(probabilities) / fit.temperature
    surest = np.quantile(softmax(logarithms, axis=1).max(axis=1), _SURE_PART)
    high = min(fit.high + (1 - float(surest)), 1.0)
    is_close = fit.low - SURE_MISTAKES >= fit.share / FACTOR and high <= fit.share * FACTOR
    if high <= FEW:
        verdict = "at_most"
    elif is_close and fit.share >= LEAST_SHARE * contradicted:
        verdict = "about"
    else:
        verdict = "withheld"
    return WrongLabels(verdict, fit.share, fit.low, high, contradicted)


@dataclass(frozen=True)
class _Fit:
    """Likeliest share of wrong labels, its interval, and the temperature that goes with it."""

    share: float
    low: float
    high: float
    temperature: float


def _fit(
    labels: np.ndarray, probabilities: np.ndarray, clusters: np.ndarray, coverage: float
) -> _Fit:
    class_count = probabilities.shape[1]
    # With half of two classes flipped the classes themselves are exchanged.
    shares = _SHARES[_SHARES * class_count <= 0.9 * (class_count - 1)]
    right = expit(_CENTRES)[:, None]
    by_bin = np.log((1 - shares) * right + shares * expit(-_CENTRES)[:, None] / (class_count - 1))
    logarithms = take_logarithms(probabilities)
    logits = [_take_logits(labels, logarithms / value) for value in _TEMPERATURES]
    likelihoods = np.stack([_count(row) @ by_bin for row in logits])
    best, place = np.unravel_index(likelihoods.argmax(), likelihoods.shape)
    effect = _measure_design_effect(
        logits[best], max(shares[place], 0.5 / len(labels)), class_count, clusters
    )
    profile = likelihoods.max(axis=0)
    likely = shares[profile.max() - profile <= effect * scipy.stats.chi2.ppf(coverage, 1) / 2]
    return _Fit(
        float(shares[place]),
        float(likely.min()),
        float(likely.max()),
        float(_TEMPERATURES[best]),
    )


def _take_logits(labels: np.ndarray, logarithms: np.ndarray) -> np.ndarray:
    """Logit of the probability of every label, (n,), from logarithms up to a constant (n, C)."""
    rows = np.arange(len(labels))
    own = logarithms[rows, labels]
    logarithms[rows, labels] = -np.inf
    return np.clip(own - logsumexp(logarithms, axis=1), _CENTRES[0], _CENTRES[-1])


def _count(logits: np.ndarray) -> np.ndarray:
    step = _CENTRES[1] - _CENTRES[0]
    places = np.rint((logits - _CENTRES[0]) / step).astype(np.int64)
    return np.bincount(places, minlength=len(_CENTRES)).astype(np.float64)


def _measure_design_effect(
    logits: np.ndarray, share: float, class_count: int, clusters: np.ndarray
) -> float:
    """Variance of the sum of scores over that of as many independent pictures, at least 1."""
    right, wrong = expit(logits), expit(-logits) / (class_count - 1)
    scores = (wrong - right) / ((1 - share) * right + share * wrong)
    scores -= scores.mean()
    spread = float(np.square(scores).sum())
    if not spread:
        return 1.0
    sums = np.bincount(number_clusters(clusters, len(logits)), scores)
    return max(1.0, float(np.square(sums).sum()) / spread)
