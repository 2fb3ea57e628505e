"""Nodes of the calibration stage: all is chosen on dev, test only shows what came of it."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from graft.figures.calibration import draw_abstention, draw_reliability
from graft.pipelines.calibration.choosing import Scored, choose_threshold, refuse_wrong_classes
from graft.pipelines.calibration.parameters import CalibrationParameters
from graft.scores.calibration import summarise_calibration
from graft.scores.predictions import read_split
from graft.scores.promises import CHOSEN, TOO_SMALL, Promise
from graft.scores.temperature import Temperature, apply_temperature, fit_temperature
from graft.scores.thresholds import select_shares, trace_abstention

NOT_ASKED = "not_asked"
_SHOWN_SHARES = (1.0, 0.95, 0.9, 0.8, 0.7, 0.5)
logger = logging.getLogger(__name__)


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
        :class:`~graft.scores.temperature.Temperature`; ``dev`` and ``test``: ``before`` and
        ``after`` the temperature, see :func:`~graft.scores.calibration.summarise_calibration`;
        ``threshold``, see :func:`~graft.pipelines.calibration.choosing.choose_threshold`, and
        ``abstention``, see :func:`~graft.scores.thresholds.trace_abstention`, both of
        probabilities after the temperature; ``threshold_reason``: ``chosen``, ``not_asked``, or
        why the wanted precision cannot be promised, and ``threshold_needed``, see
        :class:`~graft.scores.promises.Promise`; ``abstention_shown``: places of the rows for a
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
    logger.info(
        "Calibration  temperature %.2f; log loss on dev %.3f → %.3f, calibration error %.3f → %.3f",
        temperature.value,
        dev["before"]["log_loss"],
        dev["after"]["log_loss"],
        dev["before"]["ece"],
        dev["after"]["ece"],
    )
    if found["threshold_reason"] not in (CHOSEN, NOT_ASKED):
        logger.info("             no threshold: %s", _explain_no_promise(found))


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
