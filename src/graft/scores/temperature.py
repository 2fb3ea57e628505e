"""Temperature scaling: one number that makes a classifier as sure as it may be.

Source: Guo, Pleiss, Sun and Weinberger, "On calibration of modern neural networks", ICML 2017.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq, minimize_scalar
from scipy.special import logsumexp, softmax
from scipy.stats import chi2

from graft.scores.log_loss import measure_log_loss, take_logarithms

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

    The log loss, :mod:`graft.scores.log_loss`, is never worse than with 1. Without
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
    found = minimize_scalar(measure, bounds=_BOUNDS, method="bounded", options={"xatol": 1e-6})
    value = float(np.exp(found.x))
    if not _measure_loss(labels, probabilities, value) < _measure_loss(labels, probabilities, 1.0):
        return Temperature(1.0, "no_gain")
    inside = LOWEST * 1.001 < value < HIGHEST / 1.001
    reason = "fitted" if inside else "at_bound"
    return Temperature(value, reason, *_find_interval(measure, found.x, len(labels), coverage))


def apply_temperature(probabilities: np.ndarray, temperature: float) -> np.ndarray:
    """Probabilities (n, C) at another temperature, float64; at 1 they are left as they are.

    The order of the classes of a picture does not change; that of pictures may.
    """
    if temperature == 1:
        return probabilities
    return softmax(take_logarithms(probabilities) / temperature, axis=1)


def _find_interval(
    measure: Callable[[float], float], best: float, count: int, coverage: float
) -> tuple[float, float]:
    """Temperatures whose log loss is so near to the lowest that they are as good."""
    still_likely = measure(best) + float(chi2.ppf(coverage, 1)) / (2 * count)

    def exceed(log_temperature: float) -> float:
        return measure(log_temperature) - still_likely

    low, high = (
        end if exceed(end) <= 0 else brentq(exceed, *sorted([best, end]), xtol=1e-6)
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
    return float(np.exp(brentq(miss, _BOUNDS[0], 0.0, xtol=1e-6)))


def _measure_loss(labels: np.ndarray, probabilities: np.ndarray, temperature: float) -> float:
    return measure_log_loss(labels, apply_temperature(probabilities, temperature))
