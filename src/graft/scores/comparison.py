"""Whether one classifier is really better than another, on the same pictures."""

from __future__ import annotations

import numpy as np
from scipy.stats import binomtest, norm


def compare_paired(
    first_right: np.ndarray, second_right: np.ndarray, confidence: float
) -> dict[str, float]:
    """Compare the accuracy of two classifiers on the same pictures.

    Only pictures on which exactly one of them is right tell them apart. The p-value is that of
    the exact test of McNemar (Psychometrika 12, 1947): how often chance alone would share these
    pictures out as unevenly or more. The interval is that of Bonett and Price (Statistics in
    Medicine 31, 2012).

    Args:
        first_right: Whether the first classifier is right, bool (n,).
        second_right: The same of the second, in the same order.
        confidence: Coverage of the interval, such as 0.95.

    Returns:
        ``n``, ``only_first`` and ``only_second`` (pictures that only one has right), ``p_value``,
        ``difference`` (accuracy of the second less that of the first), ``low``, ``high``.

    Examples:
        >>> first = np.array([True] * 13 + [False] * 7 + [True])
        >>> second = np.array([True] * 12 + [False] + [True] * 7 + [True])
        >>> found = compare_paired(first, second, 0.95)
        >>> found["only_first"], found["only_second"], round(found["p_value"], 4)
        (1, 7, 0.0703)
    """
    count = len(first_right)
    only_first = int(np.sum(first_right & ~second_right))
    only_second = int(np.sum(second_right & ~first_right))
    apart = only_first + only_second
    low, high = _find_interval(only_first, only_second, count, confidence)
    return {
        "n": count,
        "only_first": only_first,
        "only_second": only_second,
        "p_value": float(binomtest(only_first, apart).pvalue) if apart else 1.0,
        "difference": (only_second - only_first) / count,
        "low": low,
        "high": high,
    }


def _find_interval(
    only_first: int, only_second: int, count: int, confidence: float
) -> tuple[float, float]:
    first, second = (only_first + 1) / (count + 2), (only_second + 1) / (count + 2)
    difference = second - first
    error = np.sqrt((first + second - difference**2) / (count + 2))
    reach = float(norm.ppf((1 + confidence) / 2) * error)
    return max(difference - reach, -1.0), min(difference + reach, 1.0)
