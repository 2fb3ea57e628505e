"""Nodes of the evaluation stage that set the fine-tuned classifier beside the frozen one."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from graft.pipelines.evaluation.held_out import classify_held_out, list_held_out
from graft.pipelines.evaluation.parameters import EvaluationParameters
from graft.scores.comparison import compare_paired
from graft.types import KerasModel

FROZEN, FINE_TUNED = "frozen", "fine_tuned"


def predict_from_pictures(
    fine_tuned_classifier: KerasModel,
    fine_tuning_history: pd.DataFrame,
    held_out_activations: np.ndarray,
    images: np.ndarray,
    splits: pd.DataFrame,
    class_names: list[str],
) -> pd.DataFrame:
    """Classify the held-out pictures with the fine-tuned classifier.

    Returns:
        ``fine_tuned_predictions``, with the columns of ``frozen_predictions`` and in the order of
        ``splits``; no row if nothing was fine-tuned.
    """
    rows = list_held_out(splits, fine_tuning_history)
    probabilities = classify_held_out(fine_tuned_classifier, held_out_activations, images, rows)
    return tabulate_predictions(FINE_TUNED, splits.iloc[rows], probabilities, class_names)


def tabulate_predictions(
    model: str, pictures: pd.DataFrame, probabilities: np.ndarray, class_names: list[str]
) -> pd.DataFrame:
    """Predictions of a model as a table, a row a picture, with a probability column a class."""
    table = pictures[["image_id", "split", "label"]].reset_index(drop=True)
    table.insert(2, "model", model)
    table["predicted"] = np.array(class_names)[probabilities.argmax(axis=1)]
    for number, name in enumerate(class_names):
        table[f"probability_{name}"] = probabilities[:, number]
    return table.astype({"split": "str", "model": "str", "predicted": "str"})


def collect_predictions(
    frozen_predictions: pd.DataFrame,
    fine_tuned_predictions: pd.DataFrame,
    from_scratch_predictions: pd.DataFrame,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Put the predictions of all models together, and choose the better model by dev.

    Returns:
        ``predictions``: of all models. ``chosen_predictions``: of the model with the lower log
        loss on dev; the earlier one in this order if they are equal.
    """
    tables = [frozen_predictions, fine_tuned_predictions, from_scratch_predictions]
    tables = [table for table in tables if len(table)]
    predictions = pd.concat(tables, ignore_index=True)
    chosen = min(tables, key=measure_dev_loss)["model"].iloc[0]
    return predictions, predictions[predictions["model"] == chosen].reset_index(drop=True)


def measure_dev_loss(predictions: pd.DataFrame) -> float:
    """Mean negative logarithm of the right class's probability on dev; infinite without rows."""
    dev = predictions[predictions["split"] == "dev"]
    if dev.empty:
        return float("inf")
    columns = predictions.columns.get_indexer([f"probability_{name}" for name in dev["label"]])
    right = dev.to_numpy()[np.arange(len(dev)), columns].astype(np.float64)
    return float(-np.log(np.maximum(right, np.finfo(np.float32).eps)).mean())


def compare_models(predictions: pd.DataFrame, parameters: EvaluationParameters) -> dict[str, Any]:
    """Say whether the fine-tuned classifier is really better or worse than the frozen one.

    Returns:
        ``comparison``: the ``first`` and ``second`` model and, for each of dev and test,
        what :func:`graft.scores.comparison.compare_paired` gives; empty without fine-tuning.
    """
    if FINE_TUNED not in set(predictions["model"]):
        return {}
    return compare_pair(predictions, FROZEN, FINE_TUNED, parameters.confidence)


def compare_pair(
    predictions: pd.DataFrame, first: str, second: str, confidence: float
) -> dict[str, Any]:
    """Compare two models picture by picture on dev and test, see :func:`compare_models`."""
    right = predictions.assign(right=predictions["label"] == predictions["predicted"])
    found: dict[str, Any] = {"first": first, "second": second}
    for split in ("dev", "test"):
        rows = right[right["split"] == split]
        mine = rows[rows["model"] == first].set_index("image_id")["right"]
        yours = rows[rows["model"] == second].set_index("image_id")["right"].loc[mine.index]
        found[split] = compare_paired(mine.to_numpy(bool), yours.to_numpy(bool), confidence)
    return found
