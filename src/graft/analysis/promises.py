"""A threshold whose precision holds on new pictures, not on those alone that it was chosen on.

The best of all thresholds on dev looks better there than it is. Learn then Test (Angelopoulos,
Bates, Candès, Jordan and Lei, "Learn then Test: calibrating predictive algorithms to achieve risk
control", 2021) makes each threshold a hypothesis, "its precision is below what is wanted", and
takes only those that a test refutes while all false refutations together stay rare: with a
confidence of 0.95, at most 5 of 100 dev splits lead to a threshold that breaks its promise.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd
import scipy
from scipy.special import betainc

from graft.analysis.clusters import number_clusters
from graft.analysis.thresholds import list_cuts

CHOSEN, NOT_REACHED, TOO_SMALL = "chosen", "not_reached", "too_small"
# Cuts that are asked how many pictures they would need; their answers lie close together.
_ASKED = 50


@dataclass(frozen=True)
class Promise:
    """A threshold that keeps a wanted precision, or why there is none.

    Attributes:
        threshold: The lowest one; None if there is none.
        reason: ``chosen``; ``too_small``: so few pictures could not show it even without a
            mistake; ``not_reached``: they could, but do not.
        needed: How many pictures a threshold needs: at least, if there are too few; about, as far
            as these tell, if it is not reached, or None if none is precise enough even on these.
    """

    threshold: float | None
    reason: str
    needed: int | None = None


def promise_precision(
    scores: np.ndarray,
    right: np.ndarray,
    wanted: float,
    confidence: float,
    clusters: np.ndarray | None = None,
) -> Promise:
    """The lowest threshold from which on a wanted share is right on new pictures too.

    Thresholds are tested from the highest down, in the order of the scores, by the exact binomial
    test of Clopper and Pearson: is the share of right ones among the accepted too large for a
    precision below ``wanted``? The level, 1 less the confidence, is shared out in equal parts over
    a few starts, at the smallest number of accepted pictures that could refute anything and at its
    doubles; a threshold that is refuted hands its level on to the next lower one (the fallback
    procedure: Wiens, Pharmaceutical Statistics 2, 2003). So one mistake among the surest pictures
    does not end the search. The starts are set by numbers of pictures alone, before it is looked
    at what is right. The promise is exact where pictures are independent and the precision falls
    with the threshold.

    Pictures of one cluster are not independent: the test then counts the effective number of
    accepted pictures, with Student's t for the number of clusters (Korn and Graubard, Survey
    Methodology 24, 1998), as many as the clusters if there is no mistake. That is approximate.

    Args:
        scores: Pictures with at least the threshold are accepted; 0 to 1, float (n,).
        right: Whether a picture is rightly accepted, bool (n,).
        wanted: Share of the accepted ones that must be right, above 0 and below 1.
        confidence: Share of dev splits whose threshold keeps the promise, such as 0.95.
        clusters: Cluster of every picture (n,); None if they do not belong together.

    Examples:
        >>> scores = np.linspace(0, 1, 400)
        >>> round(promise_precision(scores, scores > 0.2, 0.9, confidence=0.95).threshold, 2)
        0.14
        >>> promise_precision(scores[:20], scores[:20] >= 0, wanted=0.9, confidence=0.95)
        Promise(threshold=None, reason='too_small', needed=29)
    """
    cuts, counts = list_cuts(scores)
    level = 1 - confidence
    codes = number_clusters(clusters, len(scores))
    order = np.argsort(-scores, kind="stable")
    shares, sizes, largest = _count_accepted(right[order], codes[order], level)
    shares, sizes, largest = shares[counts - 1], sizes[counts - 1], largest[counts - 1]
    levels = _share_out(level, largest, wanted)
    p_values = _find_p_values(shares * sizes, sizes, wanted)
    chosen, own = None, 0.0
    for place, (allotted, p_value) in enumerate(zip(levels, p_values, strict=True)):
        own += allotted
        if own > 0 and p_value <= own:
            chosen = place
        else:
            own = 0.0
    if chosen is not None:
        return Promise(float(cuts[chosen]), CHOSEN)
    if not levels.any():
        fewest = _count_needed(level, wanted) * len(scores) / max(largest[-1], 1.0)
        return Promise(None, TOO_SMALL, math.ceil(fewest - 1e-6))
    return Promise(None, NOT_REACHED, _estimate_needed(shares, sizes, len(scores), wanted, level))


def _count_accepted(
    right: np.ndarray, codes: np.ndarray, level: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of the first 1, 2, …, n pictures: the share that is right, and what they count for.

    Args:
        right: Bool (n,).
        codes: Cluster of every picture, int (n,).
        level: Of the test, for Student's t.

    Returns:
        The share, the effective number, and what that number is without a mistake: float (n,).
    """
    counts = np.arange(1, len(right) + 1, dtype=np.float64)
    shares = np.cumsum(right) / counts
    if codes.max() + 1 == len(codes):
        return shares, counts, counts
    # Running sums over clusters of the squares and products of their sizes m and hits r, as a
    # picture more changes them: measure_error and weigh_clusters for every number of pictures.
    frame = pd.DataFrame({"code": codes, "right": right.astype(np.float64)})
    m = frame.groupby("code").cumcount().to_numpy(np.float64)
    r = frame.groupby("code")["right"].cumsum().to_numpy() - right
    sizes_squared = np.cumsum(2 * m + 1)
    hits_squared = np.cumsum(right * (2 * r + 1))
    products = np.cumsum(r + right * (m + 1))
    groups = np.cumsum(m == 0)
    squares = hits_squared - 2 * shares * products + shares**2 * sizes_squared
    with np.errstate(divide="ignore", invalid="ignore"):
        errors = groups / (groups - 1) * squares / counts**2
        designs = counts * errors / (shares * (1 - shares))
        tails = scipy.stats.t.ppf(1 - level, counts - 1) / scipy.stats.t.ppf(1 - level, groups - 1)
    whole = counts**2 / sizes_squared
    # A few mistakes tell little of how alike the pictures of a cluster are; all of dev tell more.
    designs = np.fmax(np.fmax(designs, designs[-1]), 1)
    known = (groups > 1) & (errors > 0) & (shares < 1) & (shares > 0)
    ratio = np.where(groups > 1, np.nan_to_num(tails), 0.0) ** 2
    return shares, np.where(known, counts / designs, whole) * ratio, whole * ratio


def _share_out(level: float, largest: np.ndarray, wanted: float) -> np.ndarray:
    """The level of each test before any is made, float (k,); they sum to ``level``, or to 0.

    Args:
        level: Of all tests together.
        largest: What the pictures that a threshold accepts count for if all are right, (k,).
        wanted: The precision.
    """
    levels = np.zeros(len(largest))
    parts = 1
    while _count_needed(level / (parts + 1), wanted) * 2**parts <= largest.max():
        parts += 1
    smallest = _count_needed(level / parts, wanted)
    if smallest > largest.max():
        return levels
    for part in range(parts):
        levels[int(np.argmax(largest >= smallest * 2**part))] += level / parts
    return levels


def _count_needed(level: float, wanted: float) -> int:
    """The fewest pictures, all of them right, that refute a precision below ``wanted``."""
    return math.ceil(math.log(level) / math.log(wanted) - 1e-9)


def _find_p_values(hits: np.ndarray, counts: np.ndarray, wanted: float) -> np.ndarray:
    """Probability of so many hits or more if each comes with the probability ``wanted``."""
    known = hits > 0
    values = np.ones(len(hits))
    values[known] = betainc(hits[known], (counts - hits)[known] + 1, wanted)
    return values


def _estimate_needed(
    shares: np.ndarray, sizes: np.ndarray, total: int, wanted: float, level: float
) -> int | None:
    """The fewest pictures of which some threshold would refute a precision below ``wanted``.

    Args:
        shares: Of the accepted pictures, that are right, float (k,).
        sizes: What they count for, float (k,).
        total: All pictures.
        wanted: The precision.
        level: Of the test.
    """
    asked = np.unique(np.linspace(0, len(shares) - 1, _ASKED).round().astype(int))
    # Jeffreys' estimate: of a few pictures that are all right not all others would be.
    likely = (shares * sizes + 0.5) / (sizes + 1)
    places = [i for i in asked if likely[i] > wanted and sizes[i] > 0]

    def count(share: float) -> float:
        def miss(log_count: float) -> float:
            number = math.exp(log_count)
            return float(betainc(share * number, (1 - share) * number + 1, wanted)) - level

        if not miss(40.0) < 0 < miss(0.0):
            return math.inf
        return math.exp(scipy.optimize.brentq(miss, 0.0, 40.0))

    needed = [count(float(likely[i])) * total / sizes[i] for i in places]
    fewest = min(needed, default=math.inf)
    return math.ceil(fewest - 1e-6) if math.isfinite(fewest) else None
