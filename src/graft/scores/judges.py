"""Whether one classifier may speak for another: only where it is about as often right."""

from __future__ import annotations

import numpy as np

# Beside the other's error it may have half of that more and a point, but never five points.
_MORE_OF_ERROR, _POINT, _MOST = 0.5, 0.01, 0.05
# So many pictures are no difference on any number of them.
_CHANCE = 2


def is_much_weaker(judge_right: np.ndarray, champion_right: np.ndarray) -> bool:
    """Whether a classifier errs so much oftener than another that it cannot stand for it.

    Args:
        judge_right: Whether it is right on each of some pictures, bool (n,).
        champion_right: The same of the other, on the same pictures.

    Returns:
        True without pictures to compare on.

    Examples:
        >>> champion = np.arange(100) >= 10
        >>> is_much_weaker(np.arange(100) >= 15, champion)
        False
        >>> is_much_weaker(np.arange(100) >= 16, champion)
        True
    """
    count = len(judge_right)
    if not count:
        return True
    error = 1 - float(champion_right.mean())
    allowed = max(_CHANCE / count, min(_MORE_OF_ERROR * error + _POINT, _MOST))
    # Counts, so that a difference of just what is allowed is no matter of rounding.
    more = int(champion_right.sum()) - int(judge_right.sum())
    return more > allowed * count + 1e-9
