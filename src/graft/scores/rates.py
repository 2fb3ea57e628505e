"""Error rates of splits, and the steps between them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from graft.scores.intervals import share_interval

Figure = Mapping[str, float]  # value, low, high


def measure_error_rate(right: np.ndarray, codes: np.ndarray, confidence: float) -> dict[str, Any]:
    """Share of wrong pictures with its interval.

    Args:
        right: Whether each picture was classified rightly, bool (n,).
        codes: Cluster of every picture, int (n,).
        confidence: Coverage of the interval.

    Returns:
        ``n``, ``clusters``, ``value``, ``low``, ``high``.
    """
    low, high = share_interval(~right, codes, confidence)
    return {
        "n": len(right),
        "clusters": int(codes.max()) + 1,
        "value": float(np.mean(~right)),
        "low": low,
        "high": high,
    }


def subtract_rates(first: Figure, second: Figure) -> dict[str, float]:
    """Second less first rate with its interval, of different pictures.

    The interval is Newcombe's (Statistics in Medicine 17, 1998, p. 873, method 10), made of those
    of the two rates; Zou and Donner (Statistics in Medicine 27, 2008) show that these may be any,
    so also those over clusters.

    Examples:
        >>> first = {"value": 48 / 80, "low": 0.4905, "high": 0.7004}
        >>> second = {"value": 56 / 70, "low": 0.6917, "high": 0.8769}
        >>> {name: round(part, 3) for name, part in subtract_rates(first, second).items()}
        {'value': 0.2, 'low': 0.052, 'high': 0.334}
    """
    value = second["value"] - first["value"]
    below = np.hypot(second["value"] - second["low"], first["high"] - first["value"])
    above = np.hypot(second["high"] - second["value"], first["value"] - first["low"])
    return {"value": value, "low": float(value - below), "high": float(value + above)}
