"""Whether one classifier is really better than another, and which may speak for another."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy

from graft.analysis.clusters import count_effective, number_clusters
from graft.analysis.intervals import bootstrap_t_interval, resample_mean, take_quantiles
from graft.analysis.predictions import check_probabilities, measure_losses

POWER = 0.8
# Probabilities that are nowhere further apart are those of one classifier, computed twice.
SAME_WITHIN = 1e-4
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
    return float(scipy.optimize.brentq(miss, 0.0, 1.0, xtol=1e-6))


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
    least, most = scipy.stats.binom.ppf([_NEGLIGIBLE, 1 - _NEGLIGIBLE], count, discordant)
    apart = np.arange(int(least), int(most) + 1)
    tail = (1 - confidence) / 2
    # The most pictures of the worse one that still count as evidence; -1 if none do.
    critical = scipy.stats.binom.ppf(tail, apart, 0.5)
    critical -= scipy.stats.binom.cdf(critical, apart, 0.5) > tail
    worse = (1 - difference / discordant) / 2
    shown = np.where(critical >= 0, scipy.stats.binom.cdf(critical, apart, worse), 0.0)
    return float(np.sum(scipy.stats.binom.pmf(apart, count, discordant) * shown))


BETTER, WORSE, NO_EVIDENCE = "better", "worse", "no evidence of a difference"


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
    z = float(scipy.stats.norm.ppf((1 + confidence) / 2))
    low, high = _find_interval(only_first, only_second, count, z)
    return {
        "n": count,
        "only_first": only_first,
        "only_second": only_second,
        "p_value": float(scipy.stats.binomtest(only_first, apart).pvalue) if apart else 1.0,
        "difference": (only_second - only_first) / count,
        "low": low,
        "high": high,
    }


def compare_classifiers(
    labels: np.ndarray,
    first: np.ndarray,
    second: np.ndarray,
    draws: int,
    confidence: float,
    seed: int,
    clusters: np.ndarray | None = None,
) -> dict[str, Any]:
    """Compare accuracy and log loss of two classifiers on the same pictures, second less first.

    The test of accuracy is McNemar's, with whole clusters in the place of pictures
    (:func:`find_p_value`). The interval of its difference is Bonett and Price's, on the effective
    number of pictures and with Student's t where they come in clusters: with few discordant
    pictures it covers better than the percentile bootstrap over clusters, which is given too. That
    of log loss is the studentised bootstrap. Both cover the truth 93 to 97 times of 100 in
    simulations with 100 and more pictures or 40 and more clusters.

    Args:
        labels: Class index of every picture, int (n,).
        first: Probabilities of the first classifier, float (n, C).
        second: Those of the second.
        draws: Resamples of the bootstrap.
        confidence: Coverage of the intervals; 1 less the level of the test.
        seed: Seed of the bootstrap.
        clusters: Cluster of every picture (n,); None if they do not belong together.

    Returns:
        ``n``, ``clusters``, ``same`` (whether both give the same probabilities), ``only_first``,
        ``only_second``, ``p_value``; ``accuracy`` (``value``,
        ``low``, ``high``, ``bootstrap_low``, ``bootstrap_high``) and ``log_loss`` (``value``,
        ``low``, ``high``), differences; ``verdict`` on the second classifier, by accuracy, and
        ``log_loss_verdict``: ``better``, ``worse`` or ``no evidence of a difference``;
        ``smallest``: the smallest difference of accuracy that these pictures would show in 80 of
        100 cases, or None, see :func:`~graft.analysis.comparison.find_smallest_difference`.

    Raises:
        GraftError: If a probability is no number.
    """
    given = [check_probabilities(np.asarray(part, np.float64)) for part in (first, second)]
    codes = number_clusters(clusters, len(labels))
    right = [part.argmax(axis=1) == labels for part in given]
    changes = right[1].astype(np.float64) - right[0]
    losses = measure_losses(labels, given[1]) - measure_losses(labels, given[0])
    found = compare_paired(right[0], right[1], confidence)
    compared = compare_right(right[0], right[1], codes, confidence)
    sample = take_quantiles(resample_mean(changes, codes, draws, seed), confidence)
    low, high = bootstrap_t_interval(losses, codes, draws, confidence, seed)
    size = count_effective(changes, codes)
    return {
        "n": len(labels),
        "clusters": int(codes.max()) + 1,
        "same": bool(np.abs(given[1] - given[0]).max() <= SAME_WITHIN),
        "only_first": found["only_first"],
        "only_second": found["only_second"],
        **compared,
        "accuracy": compared["accuracy"]
        | {"bootstrap_low": sample[0], "bootstrap_high": sample[1]},
        "log_loss_verdict": _judge(-float(losses.mean()), low > 0 or high < 0),
        "log_loss": {"value": float(losses.mean()), "low": low, "high": high},
        "smallest": find_smallest_difference(
            max(int(size), 1), float(np.mean(changes != 0)), confidence
        ),
    }


def find_p_value(changes: np.ndarray, codes: np.ndarray) -> float:
    """Exact p-value of the hypothesis that either classifier is as likely to be the better one.

    If so, every cluster could as well have come out the other way round: all ways are counted, as
    in Fisher's randomisation test (The Design of Experiments, 1935, section 21). With clusters of
    one picture this is the exact test of McNemar, to the last digit.

    Args:
        changes: 1 where only the second is right, -1 where only the first is, else 0; (n,).
        codes: Cluster of every picture, int (n,).

    Examples:
        >>> round(find_p_value(np.repeat([-1.0, 1.0], [1, 7]), np.arange(8)), 4)
        0.0703
    """
    sums = np.abs(np.bincount(codes, changes)).astype(int)
    single = int(np.sum(sums == 1))
    # Probability of every sum of the clusters, from the least to the largest in steps of one.
    chances = np.zeros(2 * single + 1)
    chances[::2] = scipy.stats.binom.pmf(np.arange(single + 1), single, 0.5)
    for size in sums[sums > 1]:
        grown = np.zeros(len(chances) + 2 * size)
        grown[: len(chances)] += chances / 2
        grown[2 * size :] += chances / 2
        chances = grown
    reach = len(chances) // 2
    is_as_far = np.abs(np.arange(-reach, reach + 1)) >= abs(int(changes.sum()))
    return float(min(chances[is_as_far].sum(), 1.0))


def compare_right(
    first_right: np.ndarray, second_right: np.ndarray, codes: np.ndarray, confidence: float
) -> dict[str, Any]:
    """Compare the accuracy of two classifiers, second less first, as :func:`compare_classifiers`.

    Args:
        first_right: Whether the first classifier is right, bool (n,).
        second_right: The same of the second, in the same order.
        codes: Cluster of every picture, int (n,).
        confidence: Coverage of the interval; 1 less the level of the test.

    Returns:
        ``p_value``, ``accuracy`` (``value``, ``low``, ``high``; the difference) and ``verdict``.
    """
    changes = second_right.astype(np.float64) - first_right
    p_value = find_p_value(changes, codes)
    low, high = _find_change_interval(changes, codes, confidence)
    value = float(changes.mean())
    return {
        "p_value": p_value,
        "verdict": _judge(value, p_value < 1 - confidence),
        "accuracy": {"value": value, "low": low, "high": high},
    }


def _find_change_interval(
    changes: np.ndarray, codes: np.ndarray, confidence: float
) -> tuple[float, float]:
    count, groups = len(changes), int(codes.max()) + 1
    tail = (1 + confidence) / 2
    if groups == count:
        size, reach = float(count), float(scipy.stats.norm.ppf(tail))
    else:
        size = count_effective(changes, codes)
        reach = float(scipy.stats.t.ppf(tail, df=groups - 1)) if groups > 1 else float("inf")
    only_first, only_second = (float(np.mean(changes == sign)) * size for sign in (-1, 1))
    return _find_interval(only_first, only_second, size, reach)


def _judge(gain: float, is_shown: bool) -> str:
    if not is_shown or gain == 0:
        return NO_EVIDENCE
    return BETTER if gain > 0 else WORSE


def _find_interval(
    only_first: float, only_second: float, count: float, z: float
) -> tuple[float, float]:
    first, second = (only_first + 1) / (count + 2), (only_second + 1) / (count + 2)
    difference = second - first
    error = np.sqrt((first + second - difference**2) / (count + 2))
    reach = float(z * error)
    return max(difference - reach, -1.0), min(difference + reach, 1.0)


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
