"""Which threshold is wanted, and what it does."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from graft.errors import GraftError
from graft.pipelines.calibration.parameters import CalibrationParameters
from graft.scores.promises import Promise, promise_precision
from graft.scores.thresholds import (
    choose_by_cost,
    measure_answers,
    measure_yes_or_no,
)


@dataclass(frozen=True)
class Scored:
    """Pictures of one split.

    Attributes:
        labels: Class index, int (n,).
        probabilities: After the temperature, float (n, C).
        clusters: Of the pictures, (n,).
    """

    labels: np.ndarray
    probabilities: np.ndarray
    clusters: np.ndarray

    def score(self, index: int | None) -> tuple[np.ndarray, np.ndarray]:
        """Scores to cut by, float (n,), and whether each is rightly accepted, bool (n,).

        Those of one class; or, without one, of the predicted class, which may be wrong.
        """
        if index is not None:
            return self.probabilities[:, index], self.labels == index
        right = self.probabilities.argmax(axis=1) == self.labels
        return self.probabilities.max(axis=1), right


def refuse_wrong_classes(class_names: list[str], parameters: CalibrationParameters) -> None:
    """Refuse what is said of a positive class where there is none, or no such class.

    Raises:
        GraftError: Says which parameter.
    """
    positive = parameters.positive_class
    given = {
        "positive_class": positive,
        "cost_false_positive and cost_false_negative": parameters.cost_false_positive,
    }
    for name, value in given.items():
        if value is not None and len(class_names) != 2:
            raise GraftError(
                f"calibration.{name} is for two classes; set it to null, or ask for a share of "
                f"right answers with calibration.wanted_precision; got {len(class_names):,} classes"
            )
    if positive is not None and positive not in class_names:
        raise GraftError(
            f"calibration.positive_class must be a class; allowed are {', '.join(class_names)}; "
            f"got '{positive}'"
        )


def choose_threshold(
    dev: Scored, test: Scored, class_names: list[str], parameters: CalibrationParameters
) -> tuple[dict[str, Any] | None, Promise | None]:
    """Choose the threshold that the parameters ask for on dev, and measure it on both splits.

    Returns:
        ``threshold``: None, or ``kind``: ``positive_class`` (say yes from ``value`` on) or
        ``abstain`` (answer from a confidence of ``value`` on); ``value``; ``positive_class``;
        ``chosen_by``: ``cost`` or ``precision``, with what was asked; ``dev`` and ``test``: see
        :func:`~graft.scores.thresholds.measure_yes_or_no` and ``measure_answers``; of two
        classes ``usual``: both at a threshold of one half. And, if a precision was
        wanted, what came of it.
    """
    alarm, miss = parameters.cost_false_positive, parameters.cost_false_negative
    wanted = parameters.wanted_precision
    index = _find_positive(class_names, parameters)
    pairs = {"dev": dev.score(index), "test": test.score(index)}
    promise = None
    if alarm is not None and miss is not None:
        value = choose_by_cost(*pairs["dev"], alarm, miss)
    elif wanted is not None:
        promise = promise_precision(*pairs["dev"], wanted, parameters.confidence, dev.clusters)
        if promise.threshold is None:
            return None, promise
        value = promise.threshold
    else:
        return None, None
    measure = measure_answers if index is None else measure_yes_or_no

    def show(threshold: float) -> dict[str, Any]:
        return {
            name: measure(*pair, threshold, parameters.confidence) for name, pair in pairs.items()
        }

    found = {
        "kind": "abstain" if index is None else "positive_class",
        "value": value,
        "positive_class": None if index is None else class_names[index],
        "chosen_by": "cost" if wanted is None else "precision",
        "cost_false_positive": alarm,
        "cost_false_negative": miss,
        "wanted_precision": wanted,
        **show(value),
    }
    return found | ({} if index is None else {"usual": show(0.5)}), promise


def _find_positive(class_names: list[str], parameters: CalibrationParameters) -> int | None:
    """Index of the positive class; None with more than two classes."""
    if len(class_names) != 2:
        return None
    if parameters.positive_class is None:
        return 1
    return class_names.index(parameters.positive_class)
