"""Whether a mirrored picture still shows what it did: asked of dev and the frozen head.

Mirroring every second picture is the augmentation that helps most sets and spoils some: an arrow
to the left becomes one to the right, a digit becomes none. Nobody need know which kind a set is
of, for the head on the frozen backbone, which never saw a mirrored picture of this set, says it:
where its answers stay right, what is shown stays what it was.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from graft.analysis.clusters import measure_error, number_clusters

# So much of the accuracy may be lost, a standard error included: what is not shown to be harmless
# is left out, for where mirroring helps it helps little.
TOLERANCE = 0.02
# A head that is wrong more often cannot say: its answers change as luck has it. Of signs, which do
# not bear it, a head that knew 28 of 100 had two more of them right when they were mirrored.
LEAST_ACCURACY = 0.8
# A class of its own must be worse by so many standard errors to speak against it: there may be a
# hundred classes, and one of them is always unlucky.
_ERRORS_OF_A_CLASS = 2.0


def judge_mirroring(
    plain: np.ndarray,
    mirrored: np.ndarray,
    labels: np.ndarray,
    clusters: np.ndarray,
    class_names: Sequence[str],
) -> dict[str, Any]:
    """Say whether pictures may be mirrored.

    They may if the head is right on four of five pictures; if the accuracy on mirrored pictures,
    less a standard error of the paired difference over whole clusters, is no more than two points
    below that on the pictures as they are; and if no class is worse by more than two standard
    errors, as classes are that mirror each other.
    An error is at least that of a single cluster more: few clusters cannot allow anything.

    Args:
        plain: Whether the head names each picture right, bool (n,).
        mirrored: The same of the mirrored picture.
        labels: Class index of every picture, int (n,).
        clusters: Cluster of every picture.
        class_names: By class index.

    Returns:
        ``is_allowed``, ``pictures``, ``accuracy``, ``mirrored_accuracy``, ``error`` and
        ``worse``, the classes that speak against it.

    Examples:
        >>> right, names = np.ones(100, bool), ["left", "right"]
        >>> judge_mirroring(right, right, np.arange(100) % 2, np.arange(100), names)["is_allowed"]
        True
        >>> found = judge_mirroring(right, ~right, np.arange(100) % 2, np.arange(100), names)
        >>> found["is_allowed"], found["worse"]
        (False, ['left', 'right'])
    """
    gains = mirrored.astype(np.float64) - plain
    change, error = _measure(gains, clusters)
    worse = []
    for index in np.unique(labels):
        own = labels == index
        change_of_class, error_of_class = _measure(gains[own], clusters[own])
        if change_of_class < -_ERRORS_OF_A_CLASS * error_of_class:
            worse.append(class_names[index])
    return {
        "is_allowed": bool(
            plain.mean() >= LEAST_ACCURACY and change - error >= -TOLERANCE - 1e-12 and not worse
        ),
        "pictures": len(gains),
        "accuracy": float(plain.mean()),
        "mirrored_accuracy": float(mirrored.mean()),
        "error": error,
        "worse": worse,
    }


def _measure(gains: np.ndarray, clusters: np.ndarray) -> tuple[float, float]:
    """Mean and its standard error, which is at least that of one cluster more."""
    codes = number_clusters(clusters, len(gains))
    count = int(codes.max()) + 1
    error = measure_error(gains, codes) if count > 1 else 1.0
    return float(gains.mean()), max(error, 1 / count)
