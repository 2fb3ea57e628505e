"""From probabilities to an answer, or to none and why; NumPy alone, for the service too."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np


class Answer(NamedTuple):
    """What is said of one picture.

    Attributes:
        name: The class; None if there is no answer.
        reason: Why there is none, for a person; else empty.
    """

    name: str | None
    reason: str = ""


class Findings(NamedTuple):
    """What a classifier says of n pictures.

    Attributes:
        probabilities: Calibrated, (n, C), float32; rows sum to 1.
        distances: From the pictures of train, (n,), float32; None if they are not known.
    """

    probabilities: np.ndarray
    distances: np.ndarray | None


NOT_SURE = "not sure"
UNLIKE = "unlike anything in training"


def decide(
    probabilities: np.ndarray,
    class_names: Sequence[str],
    threshold: Mapping[str, Any] | None,
    distances: np.ndarray | None = None,
    farthest: float = float("inf"),
) -> list[Answer]:
    """The answer for each picture, by the thresholds that were chosen on dev.

    Args:
        probabilities: Calibrated, float (n, C).
        class_names: Of the C classes.
        threshold: None: the most probable class is the answer; of the kind ``abstain``: if its
            probability is at least ``value``; of the kind ``positive_class``: that class from
            ``value`` on, else the other one.
        distances: From the pictures of train, float (n,); None if they are not known.
        farthest: A picture that is farther away gets no answer.

    Examples:
        >>> sure = {"kind": "abstain", "value": 0.8}
        >>> decide(np.array([[0.9, 0.1], [0.4, 0.6]]), ["cat", "dog"], sure)
        [Answer(name='cat', reason=''), Answer(name=None, reason='not sure: 0.600, below 0.800')]
    """
    if distances is not None:
        known = decide(probabilities, class_names, threshold)
        return [
            Answer(None, f"{UNLIKE}: distance {distance:.3f}, above {farthest:.3f}")
            if distance > farthest
            else answer
            for answer, distance in zip(known, distances, strict=True)
        ]
    highest = probabilities.max(axis=1)
    likeliest = [class_names[index] for index in probabilities.argmax(axis=1)]
    if threshold is None:
        return [Answer(name) for name in likeliest]
    value = threshold["value"]
    if threshold["kind"] == "abstain":
        return [
            Answer(name)
            if probability >= value
            else Answer(None, f"{NOT_SURE}: {probability:.3f}, below {value:.3f}")
            for name, probability in zip(likeliest, highest, strict=True)
        ]
    positive = list(class_names).index(threshold["positive_class"])
    says_yes = probabilities[:, positive] >= value
    return [Answer(class_names[positive if yes else 1 - positive]) for yes in says_yes]


def rank_classes(probabilities: np.ndarray, count: int) -> np.ndarray:
    """Indices of the most probable classes, int (n, count); of equal ones the first comes first."""
    return np.argsort(-probabilities, axis=1, kind="stable")[:, :count]
