"""The smallest difference between two classifiers that so many pictures could show."""

from __future__ import annotations

import numpy as np
from scipy.optimize import brentq
from scipy.stats import binom

POWER = 0.8
# Pictures that tell the classifiers apart: counts rarer than this are left out of the sum.
_NEGLIGIBLE = 1e-10


def find_smallest_difference(
    count: int, discordant: float, confidence: float, power: float = POWER
) -> float | None:
    """Difference of accuracies that the exact test of McNemar would show with some power.

    Classifiers tell each other apart only on the discordant pictures, which one alone has right;
    the more of them there are for the same difference, the harder it is to see. Their share is
    taken as given, or as the difference where that is larger, for it cannot be smaller. The
    power is exact, over all numbers of discordant pictures (Duffy, Biometrics 40, 1984).

    Args:
        count: Pictures.
        discordant: Share of pictures that one classifier alone has right.
        confidence: 1 less the level of the two-sided test.
        power: Probability of finding the difference.

    Returns:
        The difference; None if so few pictures could not even show a difference of 1.

    Examples:
        >>> round(find_smallest_difference(count=1000, discordant=0.05, confidence=0.95), 4)
        0.0203
        >>> find_smallest_difference(count=5, discordant=0.5, confidence=0.95)
    """

    def miss(difference: float) -> float:
        share = min(max(discordant, difference), 1.0)
        return measure_power(count, share, difference, confidence) - power

    if miss(1.0) < 0:
        return None
    return float(brentq(miss, 0.0, 1.0, xtol=1e-6))


def measure_power(count: int, discordant: float, difference: float, confidence: float) -> float:
    """Probability that the exact test of McNemar shows the better classifier to be better.

    Args:
        count: Pictures.
        discordant: Share of pictures that one classifier alone has right.
        difference: By how much the better one's accuracy is higher, at most ``discordant``.
        confidence: 1 less the level of the two-sided test.
    """
    if discordant <= 0:
        return 0.0
    least, most = binom.ppf([_NEGLIGIBLE, 1 - _NEGLIGIBLE], count, discordant)
    apart = np.arange(int(least), int(most) + 1)
    tail = (1 - confidence) / 2
    # The most pictures of the worse one that still count as evidence; -1 if none do.
    critical = binom.ppf(tail, apart, 0.5)
    critical -= binom.cdf(critical, apart, 0.5) > tail
    worse = (1 - difference / discordant) / 2
    shown = np.where(critical >= 0, binom.cdf(critical, apart, worse), 0.0)
    return float(np.sum(binom.pmf(apart, count, discordant) * shown))
