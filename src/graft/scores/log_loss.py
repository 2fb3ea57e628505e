"""The log loss: what every choice, figure and message calls by this name.

One function with one floor, for the loss of a sure mistake is all floor: with two floors the
candidate that is chosen may be the one with the worse figure in ``metrics.json``.
"""

from __future__ import annotations

import numpy as np

# A probability is never taken to be less, whatever the dtype that it comes in; float64's epsilon,
# as in scikit-learn's ``log_loss`` of float64. A network's float32 softmax tells much smaller ones
# apart from 0, so a larger floor would hide how sure a mistake is.
SMALLEST_PROBABILITY = float(np.finfo(np.float64).eps)
LARGEST_LOSS = -float(np.log(SMALLEST_PROBABILITY))


def measure_losses(labels: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """Log loss of every picture, in nats, float64 (n,), 0 to :data:`LARGEST_LOSS`.

    Args:
        labels: Class index of every picture, int (n,).
        probabilities: Float (n, C); rows that do not sum to 1 by rounding are divided by their sum.

    Examples:
        >>> measure_losses(np.array([0, 1]), np.array([[0.5, 0.5], [1.0, 0.0]])).round(4)
        array([ 0.6931, 36.0437])
    """
    wide = probabilities.astype(np.float64)
    right = wide[np.arange(len(labels)), labels] / wide.sum(axis=1)
    return -np.log(np.clip(right, SMALLEST_PROBABILITY, 1))


def measure_log_loss(labels: np.ndarray, probabilities: np.ndarray) -> float:
    """Mean of :func:`measure_losses` over the pictures."""
    return float(measure_losses(labels, probabilities).mean())


def take_logarithms(probabilities: np.ndarray) -> np.ndarray:
    """Natural logarithms of probabilities, float64, with the same floor."""
    return np.log(np.maximum(probabilities.astype(np.float64), SMALLEST_PROBABILITY))
