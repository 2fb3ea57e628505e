"""Does a classifier that is 90 % sure turn out right 90 % of the time?"""

from __future__ import annotations

from typing import Any

import numpy as np

from graft.scores.intervals import wilson_interval
from graft.scores.log_loss import measure_log_loss

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
