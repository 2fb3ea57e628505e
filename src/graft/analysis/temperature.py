"""Probabilities at another temperature; NumPy alone, for the service too."""

from __future__ import annotations

import numpy as np

# A probability is never taken to be less, whatever the dtype that it comes in; float64's epsilon,
# as in scikit-learn's ``log_loss`` of float64. A network's float32 softmax tells much smaller ones
# apart from 0, so a larger floor would hide how sure a mistake is.
SMALLEST_PROBABILITY = float(np.finfo(np.float64).eps)


def take_logarithms(probabilities: np.ndarray) -> np.ndarray:
    """Natural logarithms of probabilities, float64, with the same floor."""
    return np.log(np.maximum(probabilities.astype(np.float64), SMALLEST_PROBABILITY))


def apply_temperature(probabilities: np.ndarray, temperature: float) -> np.ndarray:
    """Probabilities (n, C) at another temperature, float64; at 1 they are left as they are.

    The order of the classes of a picture does not change; that of pictures may.
    """
    if temperature == 1:
        return probabilities
    scaled = take_logarithms(probabilities) / temperature
    powers = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)
