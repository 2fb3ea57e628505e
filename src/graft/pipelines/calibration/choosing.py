"""Which threshold is wanted, and what it does."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from graft.errors import GraftError
from graft.pipelines.calibration.parameters import CalibrationParameters
from graft.scores.thresholds import (
    choose_by_cost,
    choose_by_precision,
    measure_answers,
    measure_yes_or_no,
)


@dataclass(frozen=True)
class Scored:
    """Pictures of one split.

    Attributes:
        labels: Class index, int (n,).
        probabilities: After the temperature, float (n, C).
    """

    labels: np.ndarray
    probabilities: np.ndarray

    def name_answers(self) -> tuple[np.ndarray, np.ndarray]:
        """Confidence in the predicted class, float (n,), and whether it is right, bool (n,)."""
        right = self.probabilities.argmax(axis=1) == self.labels
        return self.probabilities.max(axis=1), right

    def score(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        """Probability of a class, float (n,), and whether a picture is of it, bool (n,)."""
        return self.probabilities[:, index], self.labels == index


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
) -> tuple[dict[str, Any] | None, str]:
    """Choose the threshold that the parameters ask for on dev, and measure it on both splits.

    Returns:
        ``threshold``: None, or ``kind``: ``positive_class`` (say yes from ``value`` on) or
        ``abstain`` (answer from a confidence of ``value`` on); ``value``; ``positive_class``;
        ``chosen_by``: ``cost`` or ``precision``, with what was asked; ``dev`` and ``test``: see
        :func:`~graft.scores.thresholds.measure_yes_or_no` and ``measure_answers``; of two
        classes ``usual``: both at a threshold of one half. And the reason: ``chosen``,
        ``not_asked`` or ``not_reached``: no threshold has the wanted precision on dev.
    """
    by_cost = parameters.cost_false_positive is not None
    if not by_cost and parameters.wanted_precision is None:
        return None, "not_asked"
    asked = {
        "chosen_by": "cost" if by_cost else "precision",
        "cost_false_positive": parameters.cost_false_positive,
        "cost_false_negative": parameters.cost_false_negative,
        "wanted_precision": parameters.wanted_precision,
    }
    if len(class_names) != 2:
        return _choose_abstention(dev, test, parameters, asked)
    return _choose_positive(dev, test, class_names, parameters, asked)


def _choose_positive(
    dev: Scored,
    test: Scored,
    class_names: list[str],
    parameters: CalibrationParameters,
    asked: dict[str, Any],
) -> tuple[dict[str, Any] | None, str]:
    positive = parameters.positive_class or class_names[1]
    index = class_names.index(positive)
    false_positive, false_negative = parameters.cost_false_positive, parameters.cost_false_negative
    value: float | None
    if false_positive is not None and false_negative is not None:
        value = choose_by_cost(*dev.score(index), false_positive, false_negative)
    else:
        value = choose_by_precision(*dev.score(index), parameters.wanted_precision or 1.0)
    if value is None:
        return None, "not_reached"

    def measure(threshold: float) -> dict[str, Any]:
        return {
            name: measure_yes_or_no(*scored.score(index), threshold, parameters.confidence)
            for name, scored in (("dev", dev), ("test", test))
        }

    found = {"kind": "positive_class", "value": value, "positive_class": positive, **asked}
    return found | measure(value) | {"usual": measure(0.5)}, "chosen"


def _choose_abstention(
    dev: Scored, test: Scored, parameters: CalibrationParameters, asked: dict[str, Any]
) -> tuple[dict[str, Any] | None, str]:
    value = choose_by_precision(*dev.name_answers(), parameters.wanted_precision or 1.0)
    if value is None:
        return None, "not_reached"
    found = {"kind": "abstain", "value": value, "positive_class": None, **asked}
    for name, scored in (("dev", dev), ("test", test)):
        found[name] = measure_answers(*scored.name_answers(), value, parameters.confidence)
    return found, "chosen"
