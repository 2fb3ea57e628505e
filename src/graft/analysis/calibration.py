"""Does a classifier that is 90 % sure turn out right 90 % of the time, and what makes it so?

Source: Guo, Pleiss, Sun and Weinberger, "On calibration of modern neural networks", ICML 2017.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy
from scipy.special import logsumexp

from graft.analysis.intervals import wilson_interval
from graft.analysis.predictions import measure_log_loss
from graft.analysis.temperature import apply_temperature, take_logarithms

# Beyond these a temperature says more about a tiny dev split than about the classifier.
LOWEST, HIGHEST = 0.1, 10.0
_BOUNDS = (float(np.log(LOWEST)), float(np.log(HIGHEST)))


@dataclass(frozen=True)
class Temperature:
    """A temperature and where it comes from.

    Attributes:
        value: Logarithms of probabilities are divided by it: above 1 it makes less sure.
        reason: ``fitted``; ``at_bound``: the best one lies beyond the bounds; ``no_mistake``: see
            :func:`fit_temperature`; ``no_gain``: none is better than 1.
        low: Low end of its interval; None unless it was fitted.
        high: High end.
    """

    value: float
    reason: str
    low: float | None = None
    high: float | None = None


def fit_temperature(labels: np.ndarray, probabilities: np.ndarray, coverage: float) -> Temperature:
    """The temperature with the lowest log loss on the given pictures, 0.1 to 10.

    The log loss, :mod:`graft.analysis.predictions`, is never worse than with 1. Without
    a mistake it has no minimum, the surer the better; then the mean confidence is raised to
    (n + 1) / (n + 2), what n right answers of n speak for by Laplace's rule of succession. The
    interval is that of the profile likelihood (Wilks, Annals of Mathematical Statistics 9, 1938).

    Args:
        labels: Class index of every picture of dev, int (n,).
        probabilities: float64 (n, C).
        coverage: Of the interval.

    Examples:
        >>> sure = np.array([[0.99, 0.01]] * 4)
        >>> found = fit_temperature(np.array([0, 0, 0, 1]), sure, coverage=0.95)
        >>> round(found.value, 2), apply_temperature(sure, found.value)[0].round(2).tolist()
        (4.18, [0.75, 0.25])
    """
    if (probabilities.argmax(axis=1) == labels).all():
        return Temperature(_raise_confidence(probabilities), "no_mistake")
    logarithms = take_logarithms(probabilities)
    of_label = logarithms[np.arange(len(labels)), labels].mean()

    def measure(log_temperature: float) -> float:
        inverse = np.exp(-log_temperature)
        return float(logsumexp(logarithms * inverse, axis=1).mean() - of_label * inverse)

    # The loss is convex in the inverse, so it has one minimum on the log scale too.
    found = scipy.optimize.minimize_scalar(
        measure, bounds=_BOUNDS, method="bounded", options={"xatol": 1e-6}
    )
    value = float(np.exp(found.x))
    if not _measure_loss(labels, probabilities, value) < _measure_loss(labels, probabilities, 1.0):
        return Temperature(1.0, "no_gain")
    inside = LOWEST * 1.001 < value < HIGHEST / 1.001
    reason = "fitted" if inside else "at_bound"
    return Temperature(value, reason, *_find_interval(measure, found.x, len(labels), coverage))


def _find_interval(
    measure: Callable[[float], float], best: float, count: int, coverage: float
) -> tuple[float, float]:
    """Temperatures whose log loss is so near to the lowest that they are as good."""
    still_likely = measure(best) + float(scipy.stats.chi2.ppf(coverage, 1)) / (2 * count)

    def exceed(log_temperature: float) -> float:
        return measure(log_temperature) - still_likely

    low, high = (
        end if exceed(end) <= 0 else scipy.optimize.brentq(exceed, *sorted([best, end]), xtol=1e-6)
        for end in _BOUNDS
    )
    return float(np.exp(low)), float(np.exp(high))


def _raise_confidence(probabilities: np.ndarray) -> float:
    """Temperature, at most 1, at which the mean confidence is (n + 1) / (n + 2)."""
    goal = (len(probabilities) + 1) / (len(probabilities) + 2)

    def miss(log_temperature: float) -> float:
        scaled = apply_temperature(probabilities, float(np.exp(log_temperature)))
        return float(scaled.max(axis=1).mean()) - goal

    if miss(0.0) >= 0:
        return 1.0
    if miss(_BOUNDS[0]) <= 0:
        return LOWEST
    return float(np.exp(scipy.optimize.brentq(miss, _BOUNDS[0], 0.0, xtol=1e-6)))


def _measure_loss(labels: np.ndarray, probabilities: np.ndarray, temperature: float) -> float:
    return measure_log_loss(labels, apply_temperature(probabilities, temperature))


EQUAL_MASS, EQUAL_WIDTH = "equal_mass", "equal_width"
# Draws × pictures at once; a chunk stays at 32 MB.
_CHUNK_NUMBERS = 4_000_000


def assign_bins(confidences: np.ndarray, bins: int, scheme: str) -> np.ndarray:
    """Number of the bin of every confidence, int (n,), 0 to ``bins`` − 1.

    Args:
        confidences: 0 to 1, float (n,).
        bins: Number of bins; those that no confidence falls into stay empty.
        scheme: ``equal_width``: the same width each, open below and closed above. ``equal_mass``:
            edges at the quantiles, so about as many pictures each; equal confidences share a bin.
            Both are those of scikit-learn's ``calibration_curve``.
    """
    shares = np.linspace(0, 1, bins + 1)
    edges = np.quantile(confidences, shares) if scheme == EQUAL_MASS else shares
    return np.searchsorted(edges[1:-1], confidences)


def tabulate_bins(
    confidences: np.ndarray, right: np.ndarray, bins: int, scheme: str, coverage: float
) -> list[dict[str, float]]:
    """Points of a reliability diagram, a row a bin that is not empty.

    Args:
        confidences: Probability of the predicted class, float (n,).
        right: Whether it is the right one, bool (n,).
        bins: Number of bins.
        scheme: See :func:`assign_bins`.
        coverage: Of the intervals.

    Returns:
        ``n``, ``confidence`` (mean), ``accuracy`` with Wilson's interval ``low`` to ``high``.
    """
    codes = assign_bins(confidences, bins, scheme)
    rows = []
    for code in np.unique(codes):
        inside = codes == code
        count, hits = int(inside.sum()), int(right[inside].sum())
        low, high = wilson_interval(hits, count, coverage)
        rows.append(
            {
                "n": count,
                "confidence": float(confidences[inside].mean()),
                "accuracy": hits / count,
                "low": low,
                "high": high,
            }
        )
    return rows


def measure_calibration_error(
    confidences: np.ndarray, right: np.ndarray, bins: int, scheme: str
) -> float:
    """Expected calibration error: mean distance of accuracy and confidence over the bins.

    Bins count by their pictures. Sources: Naeini, Cooper and Hauskrecht, AAAI 2015; Guo et al.,
    "On calibration of modern neural networks", ICML 2017 (``equal_width``); Nixon et al.,
    "Measuring calibration in deep learning", CVPR workshops 2019, and Roelofs et al.,
    "Mitigating bias in calibration error estimation", AISTATS 2022 (``equal_mass``, which is
    biased less). On few pictures it is too large: see :func:`simulate_calibration_error`.

    Examples:
        >>> confidences = np.array([0.78, 0.64, 0.92, 0.58, 0.51, 0.85, 0.70, 0.63, 0.83])
        >>> right = np.array([1, 1, 0, 1, 0, 1, 1, 0, 1], bool)
        >>> round(measure_calibration_error(confidences, right, 5, "equal_width"), 5)
        0.10444
    """
    codes = assign_bins(confidences, bins, scheme)
    gaps = np.bincount(codes, right.astype(np.float64) - confidences)
    return float(np.abs(gaps).sum() / len(confidences))


def simulate_calibration_error(
    confidences: np.ndarray, bins: int, scheme: str, draws: int, coverage: float, seed: int
) -> tuple[float, float]:
    """The error that a perfectly calibrated classifier would show on as many pictures.

    A picture of confidence p is right with probability p (consistency resampling: Bröcker and
    Smith, "Increasing the reliability of reliability diagrams", 2007).

    Returns:
        Mean over the draws, and the value that a share ``coverage`` of them stays below.
    """
    codes = assign_bins(confidences, bins, scheme)
    members = np.eye(bins)[codes]
    expected = confidences @ members
    random = np.random.default_rng(seed)
    chunk = max(1, _CHUNK_NUMBERS // len(confidences))
    errors = []
    for start in range(0, draws, chunk):
        size = (min(chunk, draws - start), len(confidences))
        hits = (random.random(size) < confidences) @ members
        errors.append(np.abs(hits - expected).sum(axis=1) / len(confidences))
    values = np.concatenate(errors)
    return float(values.mean()), float(np.quantile(values, coverage))


def summarise_calibration(
    labels: np.ndarray,
    probabilities: np.ndarray,
    bins: int,
    draws: int,
    coverage: float,
    seed: int,
) -> dict[str, Any]:
    """All that is said of the calibration of one model on one split.

    Args:
        labels: Class index of every picture, int (n,).
        probabilities: float64 (n, C).
        bins: Number of bins.
        draws: Of :func:`simulate_calibration_error`.
        coverage: Of the intervals.
        seed: Of the draws.

    Returns:
        ``n``; ``accuracy`` (``value``, ``low``, ``high``); ``mean_confidence``; ``log_loss``
        (nats); ``ece`` and ``ece_equal_width``; ``chance``: the ``ece`` of a perfectly
        calibrated classifier, its ``mean`` and ``high``; ``bins`` (``equal_width``).
    """
    confidences = probabilities.max(axis=1)
    right = probabilities.argmax(axis=1) == labels
    low, high = wilson_interval(int(right.sum()), len(right), coverage)
    # Rounding may lift a probability above 1 by 1e-7.
    confidences = confidences.clip(0, 1)
    mean, largest = simulate_calibration_error(confidences, bins, EQUAL_MASS, draws, coverage, seed)
    return {
        "n": len(labels),
        "accuracy": {"value": float(right.mean()), "low": low, "high": high},
        "mean_confidence": float(confidences.mean()),
        "log_loss": measure_log_loss(labels, probabilities),
        "ece": measure_calibration_error(confidences, right, bins, EQUAL_MASS),
        "ece_equal_width": measure_calibration_error(confidences, right, bins, EQUAL_WIDTH),
        "chance": {"mean": mean, "high": largest},
        "bins": tabulate_bins(confidences, right, bins, EQUAL_WIDTH, coverage),
    }
