"""Intervals by resampling whole clusters."""

from __future__ import annotations

import numpy as np

from graft.scores.clusters import draw_weights, measure_error, number_clusters
from graft.scores.metrics import Metric


def bootstrap_t_interval(
    values: np.ndarray, codes: np.ndarray, draws: int, confidence: float, seed: int
) -> tuple[float, float]:
    """Studentised bootstrap interval of a mean, for means of skewed values such as losses.

    Source: Efron and Tibshirani, An Introduction to the Bootstrap, 1993, section 12.5; Hall,
    Annals of Statistics 16, 1988. A few large losses decide the mean, and a sample that lacks them
    has both too small a mean and too small a spread; dividing by the spread accounts for that.

    Args:
        values: A number a picture, float (n,).
        codes: Cluster of every picture, int (n,).
        draws: Resamples.
        confidence: Coverage of the interval.
        seed: Seed of the resamples.

    Returns:
        ``low`` and ``high``; infinite with one cluster; both the mean if all values are equal.
    """
    mean, error = float(values.mean()), measure_error(values, codes)
    if np.isnan(error):
        return float("-inf"), float("inf")
    if error <= 1e-12 * max(abs(mean), 1e-12):
        return mean, mean
    sizes, sums = np.bincount(codes).astype(np.float64), np.bincount(codes, values)
    ratios = []
    for weights in draw_weights(codes, draws, seed):
        counts = weights @ sizes
        means = weights @ sums / counts
        squares = weights @ sums**2 - 2 * means * (weights @ (sums * sizes))
        squares += means**2 * (weights @ sizes**2)
        factor = len(sizes) / (len(sizes) - 1)
        errors = np.sqrt(np.maximum(factor * squares, 0)) / counts
        # A resample of equal clusters has no spread: it is infinitely far out.
        with np.errstate(divide="ignore", invalid="ignore"):
            ratios.append(np.where(errors > 1e-9 * error, (means - mean) / errors, np.nan))
    low, high = take_quantiles(np.concatenate(ratios), confidence)
    return mean - high * error, mean - low * error


def resample_mean(values: np.ndarray, codes: np.ndarray, draws: int, seed: int) -> np.ndarray:
    """Means of resamples of whole clusters, float (draws,); ``values`` as above."""
    sizes, sums = np.bincount(codes).astype(np.float64), np.bincount(codes, values)
    parts = [(weights @ sums) / (weights @ sizes) for weights in draw_weights(codes, draws, seed)]
    return np.concatenate(parts)


def bootstrap_interval(
    metric: Metric,
    labels: np.ndarray,
    probabilities: np.ndarray,
    draws: int,
    confidence: float,
    seed: int,
    clusters: np.ndarray | None = None,
) -> tuple[float, float]:
    """Percentile bootstrap interval of a metric, resampling clusters (Efron, 1979)."""
    codes = number_clusters(clusters, len(labels))
    sample = resample({"": metric}, labels, probabilities, codes, draws, seed)[""]
    return take_quantiles(sample, confidence)


def resample(
    metrics: dict[str, Metric],
    labels: np.ndarray,
    probabilities: np.ndarray,
    codes: np.ndarray,
    draws: int,
    seed: int,
) -> dict[str, np.ndarray]:
    """Metrics on resamples of whole clusters, drawn once for all metrics.

    Args:
        metrics: Name to metric.
        labels: Class index of every picture, int (n,).
        probabilities: Rows that sum to 1, float (n, C).
        codes: Cluster of every picture, int (n,).
        draws: Resamples.
        seed: Seed of the resamples.

    Returns:
        Name to values, float (draws,); NaN where a metric is not defined.
    """
    values: dict[str, list[np.ndarray]] = {name: [] for name in metrics}
    for weights in draw_weights(codes, draws, seed):
        rows = weights[:, codes]
        for name, metric in metrics.items():
            values[name].append(metric(labels, probabilities, rows))
    return {name: np.concatenate(parts) for name, parts in values.items()}


def take_quantiles(sample: np.ndarray, confidence: float) -> tuple[float, float]:
    """Percentile interval of a sample, NaN left out; NaN if there is nothing else."""
    if np.isnan(sample).all():
        return float("nan"), float("nan")
    tail = (1 - confidence) / 2
    low, high = np.nanquantile(sample, [tail, 1 - tail])
    return float(low), float(high)
