"""Nodes of the evaluation stage that set the fine-tuned classifier beside the frozen one."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from graft.images.blocks import copy_rows
from graft.pipelines.evaluation.parameters import EvaluationParameters
from graft.progress import track
from graft.scores.comparison import compare_paired
from graft.types import KerasModel

FROZEN, FINE_TUNED = "frozen", "fine_tuned"
_BATCH = 32
_HELD_OUT = ["train_dev", "dev", "test"]


def predict_from_pictures(
    fine_tuned_classifier: KerasModel,
    fine_tuning_history: pd.DataFrame,
    images: np.ndarray,
    splits: pd.DataFrame,
    class_names: list[str],
) -> pd.DataFrame:
    """Classify the held-out pictures with the fine-tuned classifier.

    Returns:
        ``fine_tuned_predictions``, with the columns of ``frozen_predictions`` and in the order of
        ``splits``; no row if nothing was fine-tuned.
    """
    from graft.models.inference import compile_forward

    rows = np.flatnonzero(splits["split"].isin(_HELD_OUT))
    if fine_tuning_history.empty:
        rows = rows[:0]
    forward = compile_forward(fine_tuned_classifier, _BATCH)
    probabilities = np.zeros((len(rows), len(class_names)), np.float32)
    starts = range(0, len(rows), _BATCH)
    for start in track(starts, len(rows), "predicting", "pictures", step=_BATCH):
        places = slice(start, start + _BATCH)
        probabilities[places] = forward(copy_rows(images, rows[places]))
    table = splits.iloc[rows][["image_id", "split", "label"]].reset_index(drop=True)
    table.insert(2, "model", FINE_TUNED)
    table["predicted"] = np.array(class_names)[probabilities.argmax(axis=1)]
    for number, name in enumerate(class_names):
        table[f"probability_{name}"] = probabilities[:, number]
    return table.astype({"split": "str", "model": "str", "predicted": "str"})


def collect_predictions(
    frozen_predictions: pd.DataFrame, fine_tuned_predictions: pd.DataFrame
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Put the predictions of all models together, and choose the better model by dev.

    Returns:
        ``predictions``: of all models. ``chosen_predictions``: of the model with the lower log
        loss on dev; the frozen one if they are equal.
    """
    losses = {
        FROZEN: measure_dev_loss(frozen_predictions),
        FINE_TUNED: measure_dev_loss(fine_tuned_predictions),
    }
    tables = [frozen_predictions, fine_tuned_predictions]
    predictions = pd.concat([table for table in tables if len(table)], ignore_index=True)
    chosen = min(losses, key=lambda model: losses[model])
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
        what :func:`graft.scores.comparison.compare_paired` gives; empty if there is one model.
    """
    right = {
        model: rows.assign(right=rows["label"] == rows["predicted"]).set_index("image_id")
        for model, rows in predictions.groupby("model")
    }
    if len(right) < 2:
        return {}
    found: dict[str, Any] = {"first": FROZEN, "second": FINE_TUNED}
    for split in ("dev", "test"):
        first = right[FROZEN].query("split == @split")["right"]
        second = right[FINE_TUNED]["right"].loc[first.index]
        found[split] = compare_paired(
            first.to_numpy(bool), second.to_numpy(bool), parameters.confidence
        )
    return found
