"""How far a figure may be from the truth, measured on so few pictures."""

from __future__ import annotations

import numpy as np
import scipy
from scipy.special import expit, logit

from graft.analysis.clusters import (
    count_effective,
    draw_weights,
    measure_error,
    number_clusters,
    weigh_clusters,
)
from graft.analysis.metrics import METRICS, Metric
from graft.analysis.predictions import LARGEST_LOSS, check_probabilities, measure_losses


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
    """Means of resamples of whole clusters, float (draws,); arguments as above."""
    sizes, sums = np.bincount(codes).astype(np.float64), np.bincount(codes, values)
    parts = [(weights @ sums) / (weights @ sizes) for weights in draw_weights(codes, draws, seed)]
    return np.concatenate(parts)


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


# Figures from 0 to 1 that are no mean over pictures.
_SHARES = ("balanced_accuracy", "macro_f1", "roc_auc")


def measure_with_intervals(
    labels: np.ndarray,
    probabilities: np.ndarray,
    draws: int,
    confidence: float,
    seed: int,
    clusters: np.ndarray | None = None,
) -> dict[str, dict[str, float]]:
    """Every registered metric with its value and interval.

    Accuracy has Wilson's interval (:func:`share_interval`), log loss the studentised bootstrap
    (:func:`bootstrap_t_interval`), balanced accuracy, F1 and ROC AUC the interval on the logit
    scale with the bootstrap's standard error (:func:`logit_interval`), any other metric the
    percentile bootstrap. Whole clusters are resampled. In simulations with 50 and more pictures, or
    20 and more clusters, they cover the truth 93 to 97 times of 100. Where fewer
    than about five pictures are wrong it may be up to 98 times, or for log loss and ROC AUC down
    to 90, for then the sample holds too little of what can go wrong; with 10 clusters down to 92.

    Args:
        labels: Class index of every picture, int (n,).
        probabilities: Rows that sum to 1, float (n, C).
        draws: Resamples of the bootstrap.
        confidence: Coverage of the intervals, such as 0.95.
        seed: Seed of the bootstrap.
        clusters: Cluster of every picture (n,); None if they do not belong together.

    Returns:
        Name of the metric to ``value``, ``low`` and ``high``.

    Raises:
        GraftError: If a probability is no number.
    """
    probabilities = check_probabilities(np.asarray(probabilities, dtype=np.float64))
    codes = number_clusters(clusters, len(labels))
    drawn = [name for name in METRICS if name not in ("accuracy", "log_loss")]
    samples = resample({name: METRICS[name] for name in drawn}, labels, probabilities, codes,
                        draws, seed)  # fmt: skip
    once = np.ones((1, len(labels)))
    figures = {}
    for name, metric in METRICS.items():
        value = float(metric(labels, probabilities, once)[0])
        if name == "accuracy":
            right = probabilities.argmax(axis=1) == labels
            low, high = share_interval(right, codes, confidence)
        elif name == "log_loss":
            losses = measure_losses(labels, probabilities)
            low, high = bootstrap_t_interval(losses, codes, draws, confidence, seed)
            low, high = max(low, 0.0), min(high, LARGEST_LOSS)
        elif name in _SHARES:
            size = _count_effective_by_class(labels, codes)
            low, high = logit_interval(value, samples[name], codes, size, confidence)
        else:
            low, high = take_quantiles(samples[name], confidence)
        figures[name] = {"value": value, "low": low, "high": high}
    return figures


def wilson_interval(
    hits: float, count: float, confidence: float, clusters: int | None = None
) -> tuple[float, float]:
    """Wilson's score interval of a share (Wilson, JASA 22, 1927).

    Args:
        hits: Pictures that have it; not whole if ``count`` is an effective number.
        count: Pictures.
        confidence: Coverage of the interval.
        clusters: Number of clusters that the effective number was estimated from, which puts
            Student's t in place of the normal distribution; None if it was counted.

    Examples:
        >>> low, high = wilson_interval(hits=353, count=360, confidence=0.95)
        >>> round(low, 3), round(high, 3)
        (0.96, 0.991)
    """
    tail = (1 + confidence) / 2
    z = scipy.stats.norm.ppf(tail) if clusters is None else scipy.stats.t.ppf(tail, df=clusters - 1)
    share = hits / count
    middle = share + z**2 / (2 * count)
    reach = z * np.sqrt(share * (1 - share) / count + z**2 / (4 * count**2))
    scale = 1 + z**2 / count
    # At the ends of the scale rounding must not leave it.
    low = 0.0 if hits == 0 else (middle - reach) / scale
    high = 1.0 if hits == count else (middle + reach) / scale
    return float(low), float(high)


def share_interval(right: np.ndarray, codes: np.ndarray, confidence: float) -> tuple[float, float]:
    """Interval of a share of pictures: Wilson's, on their effective number if in clusters.

    Of the methods for clustered proportions the one that Dean and Pagano found to cover best
    (Journal of Survey Statistics and Methodology 3, 2015); the effective number of pictures as in
    :func:`~graft.analysis.clusters.count_effective`.

    Args:
        right: Whether each picture has it, bool (n,).
        codes: Cluster of every picture, int (n,).
        confidence: Coverage of the interval.
    """
    count, groups = len(right), int(codes.max()) + 1
    if groups == count:
        return wilson_interval(int(right.sum()), count, confidence)
    if groups < 2:
        return 0.0, 1.0
    size = count_effective(right.astype(np.float64), codes)
    return wilson_interval(float(right.mean()) * size, size, confidence, groups)


def logit_interval(
    value: float, sample: np.ndarray, codes: np.ndarray, size: float, confidence: float
) -> tuple[float, float]:
    """Interval of a figure between 0 and 1, symmetric on the logit scale.

    Near 1 the distribution of such a figure is skewed, and the percentile bootstrap far too narrow:
    with an ROC AUC of 0.99 on 200 pictures it covers the truth 75 to 90 times of 100. The standard
    error of the bootstrap on the logit scale, with Student's t for the number of clusters, covers
    it 93 to 97 times (Pepe, The Statistical Evaluation of Medical Tests, 2003, section 5.2.4).
    Where no resample differs, there is no standard error: Wilson's interval is taken instead.

    Args:
        value: The figure.
        sample: The figure on resamples, float (B,); NaN where it is not defined.
        codes: Cluster of every picture, int (n,).
        size: Pictures that a share needs to vary as much, for the want of a standard error.
        confidence: Coverage of the interval.
    """
    known, groups = sample[~np.isnan(sample)], int(codes.max()) + 1
    if np.isnan(value):
        return float("nan"), float("nan")
    spread = float(known.std(ddof=1)) if len(known) > 1 and groups > 1 else 0.0
    if not 0 < value < 1 or spread < 1e-12:
        return wilson_interval(value * size, size, confidence)
    error = spread * np.sqrt(groups / (groups - 1)) / (value * (1 - value))
    reach = error * scipy.stats.t.ppf((1 + confidence) / 2, df=groups - 1)
    return float(expit(logit(value) - reach)), float(expit(logit(value) + reach))


def widen_if_perfect(
    low: float, high: float, labels: np.ndarray, confidence: float
) -> tuple[float, float]:
    """Mend an interval that ends where it begins, for the want of a single mistake.

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
    size = _count_effective_by_class(labels, np.arange(len(labels)))
    return wilson_interval(size, size, confidence)[0], high


def mean_interval(values: np.ndarray, confidence: float) -> tuple[float, float]:
    """Student's t interval of the mean of a few repeats, float (n,) with n ≥ 2."""
    error = float(values.std(ddof=1)) / np.sqrt(len(values))
    reach = float(scipy.stats.t.ppf((1 + confidence) / 2, df=len(values) - 1)) * error
    mean = float(values.mean())
    return mean - reach, mean + reach


def _count_effective_by_class(labels: np.ndarray, codes: np.ndarray) -> float:
    """Pictures that a share needs to vary as much as the mean recall of C classes does."""
    sizes = [weigh_clusters(codes[labels == number]) for number in np.unique(labels)]
    return float(len(sizes) ** 2 / np.sum(1 / np.array(sizes)))
