"""How far a figure may be from the truth, measured on so few pictures."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy.stats import binomtest
from scipy.stats import t as student_t

from graft.scores.metrics import METRICS, Metric

# Weights of all draws at once would grow with draws × pictures; a chunk stays at 32 MB.
_CHUNK_NUMBERS = 4_000_000


def measure_with_intervals(
    labels: np.ndarray, probabilities: np.ndarray, draws: int, confidence: float, seed: int
) -> dict[str, dict[str, float]]:
    """Every registered metric with its value and interval.

    Args:
        labels: Class index of every picture, int (n,).
        probabilities: Rows that sum to 1, float (n, C).
        draws: Resamples of the bootstrap.
        confidence: Coverage of the intervals, such as 0.95.
        seed: Seed of the bootstrap.

    Returns:
        Name of the metric to ``value``, ``low`` and ``high``. Accuracy has Wilson's interval,
        the others the percentile bootstrap over pictures (Efron 1979), see
        :func:`widen_if_perfect`.
    """
    probabilities = np.asarray(probabilities, dtype=np.float64)
    once = np.ones((1, len(labels)))
    figures = {}
    for name, metric in METRICS.items():
        value = float(metric(labels, probabilities, once)[0])
        if name == "accuracy":
            low, high = wilson_interval(round(value * len(labels)), len(labels), confidence)
        else:
            low, high = bootstrap_interval(metric, labels, probabilities, draws, confidence, seed)
            low, high = widen_if_perfect(low, high, labels, confidence)
        figures[name] = {"value": value, "low": low, "high": high}
    return figures


def wilson_interval(hits: int, count: int, confidence: float) -> tuple[float, float]:
    """Wilson's score interval of a share (Wilson, JASA 22, 1927).

    Examples:
        >>> low, high = wilson_interval(hits=353, count=360, confidence=0.95)
        >>> round(low, 3), round(high, 3)
        (0.96, 0.991)
    """
    interval = binomtest(hits, count).proportion_ci(confidence, method="wilson")
    return float(interval.low), float(interval.high)


def bootstrap_interval(
    metric: Metric,
    labels: np.ndarray,
    probabilities: np.ndarray,
    draws: int,
    confidence: float,
    seed: int,
) -> tuple[float, float]:
    """Percentile bootstrap interval of a metric, resampling pictures with replacement."""
    values = np.concatenate(
        [
            metric(labels, probabilities, weights)
            for weights in _draw_weights(len(labels), draws, seed)
        ]
    )
    if np.isnan(values).all():
        return float("nan"), float("nan")
    tail = (1 - confidence) / 2
    low, high = np.nanquantile(values, [tail, 1 - tail])
    return float(low), float(high)


def widen_if_perfect(
    low: float, high: float, labels: np.ndarray, confidence: float
) -> tuple[float, float]:
    """Mend the bootstrap where it fails: without a mistake no resample has one either.

    An interval from 1 to 1 would claim certainty. Its low end becomes Wilson's for no mistake
    in C × (harmonic mean of the class sizes) pictures: as many as a share needs to vary as
    much as the mean recall of C classes does.

    Examples:
        >>> low, high = widen_if_perfect(1.0, 1.0, np.repeat([0, 1], 50), confidence=0.95)
        >>> round(low, 3), high
        (0.963, 1.0)
    """
    if low < 1 or high < 1:
        return low, high
    sizes = np.unique(labels, return_counts=True)[1]
    effective = int(len(sizes) ** 2 / np.sum(1 / sizes))
    return wilson_interval(effective, effective, confidence)[0], high


def _draw_weights(count: int, draws: int, seed: int) -> Iterator[np.ndarray]:
    """How often every picture stands in every resample, a chunk of resamples at a time."""
    random = np.random.default_rng(seed)
    chunk = max(1, _CHUNK_NUMBERS // count)
    for start in range(0, draws, chunk):
        size = min(chunk, draws - start)
        yield random.multinomial(count, np.full(count, 1 / count), size=size).astype(np.float64)


def mean_interval(values: np.ndarray, confidence: float) -> tuple[float, float]:
    """Student's t interval of the mean of a few repeats, float (n,) with n ≥ 2."""
    error = float(values.std(ddof=1)) / np.sqrt(len(values))
    reach = float(student_t.ppf((1 + confidence) / 2, df=len(values) - 1)) * error
    mean = float(values.mean())
    return mean - reach, mean + reach
