"""Nodes of the evaluation stage that set the fine-tuned classifier beside the frozen one."""

from __future__ import annotations

import numpy as np
import pandas as pd

from graft.pipelines.evaluation.measured import classify_measured, list_tuned
from graft.pipelines.evaluation.parameters import TrainSampleParameters
from graft.scores.checks import check_probabilities
from graft.scores.log_loss import measure_log_loss
from graft.types import KerasModel

FINE_TUNED = "fine_tuned"


def predict_from_pictures(
    fine_tuned_classifier: KerasModel,
    fine_tuning_history: pd.DataFrame,
    measured_activations: np.ndarray,
    images: np.ndarray,
    splits: pd.DataFrame,
    class_names: list[str],
    parameters: TrainSampleParameters,
) -> pd.DataFrame:
    """Classify the held-out pictures and some of train with the fine-tuned classifier.

    Returns:
        ``fine_tuned_predictions``, with the columns of ``frozen_predictions`` and in the order of
        ``splits``; no row if nothing was fine-tuned.
    """
    rows = list_tuned(splits, fine_tuning_history, parameters)
    probabilities = classify_measured(fine_tuned_classifier, measured_activations, images, rows)
    return tabulate_predictions(FINE_TUNED, splits.iloc[rows], probabilities, class_names)


def tabulate_predictions(
    model: str, pictures: pd.DataFrame, probabilities: np.ndarray, class_names: list[str]
) -> pd.DataFrame:
    """Predictions of a model as a table, a row a picture, with a probability column a class."""
    table = pictures[["image_id", "split", "label"]].reset_index(drop=True)
    table.insert(2, "model", model)
    table["predicted"] = np.array(class_names)[probabilities.argmax(axis=1)]
    columns = pd.DataFrame(probabilities, columns=[f"probability_{name}" for name in class_names])
    return table.join(columns).astype({"split": "str", "model": "str", "predicted": "str"})


def collect_predictions(
    frozen_predictions: pd.DataFrame,
    fine_tuned_predictions: pd.DataFrame,
    from_scratch_predictions: pd.DataFrame,
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Put the predictions of all models together, and choose the better model by dev.

    Returns:
        ``predictions``: of all models on held-out pictures. ``chosen_predictions``: of the model
        with the lower log loss on dev; the earlier one in this order if they are equal.
        ``train_predictions``: of all models on the same pictures of train.

    Raises:
        GraftError: If a model's outputs are no probabilities.
    """
    tables = [frozen_predictions, fine_tuned_predictions, from_scratch_predictions]
    tables = [table for table in tables if len(table)]
    for table in tables:
        name = table["model"].iloc[0].replace("_", "-")
        probabilities = table.filter(regex="^probability_").to_numpy(np.float64)
        check_probabilities(probabilities, f"the {name} classifier", table["image_id"].tolist())
    everything = pd.concat(tables, ignore_index=True)
    is_train = everything["split"] == "train"
    predictions = everything[~is_train].reset_index(drop=True)
    chosen = min(tables, key=measure_dev_loss)["model"].iloc[0]
    return (
        predictions,
        predictions[predictions["model"] == chosen].reset_index(drop=True),
        everything[is_train].reset_index(drop=True),
    )


def measure_dev_loss(predictions: pd.DataFrame) -> float:
    """Log loss on dev, the figure of ``metrics.json``; infinite without rows."""
    dev = predictions[predictions["split"] == "dev"]
    if dev.empty:
        return float("inf")
    probabilities = dev.filter(regex="^probability_")
    labels = probabilities.columns.get_indexer([f"probability_{name}" for name in dev["label"]])
    return measure_log_loss(labels, probabilities.to_numpy(np.float64))
