"""Nodes of the calibration stage: all is chosen on dev, test only shows what came of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from graft.analysis.calibration import (
    Temperature,
    apply_temperature,
    fit_temperature,
    summarise_calibration,
)
from graft.analysis.predictions import read_split
from graft.analysis.promises import CHOSEN, TOO_SMALL, Promise, promise_precision
from graft.analysis.thresholds import (
    choose_by_cost,
    measure_answers,
    measure_yes_or_no,
    select_shares,
    trace_abstention,
)
from graft.errors import GraftError
from graft.pipelines.calibration.parameters import CalibrationParameters
from graft.progress import tell
from graft.reporting.curve_figures import draw_abstention, draw_reliability


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
        :func:`~graft.analysis.thresholds.measure_yes_or_no` and ``measure_answers``; of two
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


NOT_ASKED = "not_asked"
_SHOWN_SHARES = (1.0, 0.95, 0.9, 0.8, 0.7, 0.5)


def calibrate(
    chosen_predictions: pd.DataFrame,
    splits: pd.DataFrame,
    class_names: list[str],
    parameters: CalibrationParameters,
) -> dict[str, Any]:
    """Fit a temperature and choose a threshold on dev, and measure both on dev and test.

    Returns:
        ``calibration``: ``model``; ``temperature`` (1.0 leaves the probabilities as they are),
        ``temperature_low``, ``temperature_high`` and ``temperature_reason``, see
        :class:`~graft.analysis.calibration.Temperature`; ``dev`` and ``test``: ``before`` and
        ``after`` the temperature, see :func:`~graft.analysis.calibration.summarise_calibration`;
        ``threshold``, see :func:`~graft.pipelines.calibration.nodes.choose_threshold`, and
        ``abstention``, see :func:`~graft.analysis.thresholds.trace_abstention`, both of
        probabilities after the temperature; ``threshold_reason``: ``chosen``, ``not_asked``, or
        why the wanted precision cannot be promised, and ``threshold_needed``, see
        :class:`~graft.analysis.promises.Promise`; ``abstention_shown``: places of the rows for a
        table; ``confidence``: coverage of the intervals; ``classes``: how many;
        ``wanted_precision``.

    Raises:
        GraftError: If dev or test has no picture, a prediction is no probability, or the
            parameters do not suit the classes.
    """
    refuse_wrong_classes(class_names, parameters)
    parts = {name: read_split(chosen_predictions, class_names, name) for name in ("dev", "test")}
    temperature = fit_temperature(*parts["dev"], parameters.confidence)
    found: dict[str, Any] = {
        "model": str(chosen_predictions["model"].iloc[0]),
        "temperature": temperature.value,
        "temperature_low": temperature.low,
        "temperature_high": temperature.high,
        "temperature_reason": temperature.reason,
        "confidence": parameters.confidence,
        "classes": len(class_names),
    }
    scored, cluster_of = {}, splits.set_index("image_id")["cluster"]
    for name, (labels, probabilities) in parts.items():
        scaled = apply_temperature(probabilities, temperature.value)
        before, after = (_summarise(labels, rows, parameters) for rows in (probabilities, scaled))
        found[name] = {"before": before, "after": after}
        pictures = chosen_predictions.loc[chosen_predictions["split"] == name, "image_id"]
        scored[name] = Scored(labels, scaled, cluster_of.loc[pictures].to_numpy())
    threshold, promise = choose_threshold(scored["dev"], scored["test"], class_names, parameters)
    dev, test = (scored[name].score(None) for name in ("dev", "test"))
    abstention = trace_abstention(dev, test, parameters.confidence)
    found |= {
        "threshold": threshold,
        "threshold_reason": _name_reason(threshold, promise),
        "threshold_needed": promise.needed if promise else None,
        "wanted_precision": parameters.wanted_precision,
        "abstention": abstention,
        "abstention_shown": select_shares(abstention, _SHOWN_SHARES),
    }
    _log_outcome(temperature, found)
    return found


def draw_reliability_diagram(calibration: dict[str, Any]) -> Figure:
    """Draw accuracy against confidence on test, before and after the temperature."""
    return draw_reliability(calibration)


def draw_abstention_curve(calibration: dict[str, Any]) -> Figure:
    """Draw accuracy against the share of pictures that is answered."""
    return draw_abstention(calibration)


def _summarise(
    labels: np.ndarray, probabilities: np.ndarray, parameters: CalibrationParameters
) -> dict[str, Any]:
    return summarise_calibration(
        labels,
        probabilities,
        parameters.bins,
        parameters.draws,
        parameters.confidence,
        parameters.seed,
    )


def _log_outcome(temperature: Temperature, found: dict[str, Any]) -> None:
    dev = found["dev"]
    tell(
        "Calibration",
        "temperature %.2f; dev log loss %.3f → %.3f, error %.3f → %.3f",
        temperature.value,
        dev["before"]["log_loss"],
        dev["after"]["log_loss"],
        dev["before"]["ece"],
        dev["after"]["ece"],
    )
    if found["threshold_reason"] not in (CHOSEN, NOT_ASKED):
        tell("", "no threshold: %s", _explain_no_promise(found))


def _name_reason(threshold: dict[str, Any] | None, promise: Promise | None) -> str:
    if promise is None:
        return CHOSEN if threshold else NOT_ASKED
    return promise.reason


def _explain_no_promise(found: dict[str, Any]) -> str:
    wanted, needed, count = (
        found["wanted_precision"], found["threshold_needed"], found["dev"]["before"]["n"]
    )  # fmt: skip
    if needed is None:
        return f"none is right {100 * wanted:g} % of the time on dev; ask for less"
    about = "at least" if found["threshold_reason"] == TOO_SMALL else "about"
    return f"for {wanted:g} dev needs {about} {needed:,} pictures, not {count:,}"
