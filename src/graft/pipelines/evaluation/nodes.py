"""Nodes of the evaluation stage that measure; it is the only stage that reads the test split."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
import pandas as pd

from graft.datasets.features import FeatureTable
from graft.errors import GraftError
from graft.images.colours import copy_pictures
from graft.pipelines.evaluation.parameters import EvaluationParameters, TrainSampleParameters
from graft.pipelines.evaluation.sampling import list_measured
from graft.pipelines.evaluation.shown import select_shown
from graft.scores.intervals import measure_with_intervals
from graft.scores.tables import tabulate_classes
from graft.types import KerasModel

FROZEN = "frozen"
# Float rounding differs between one graph and two; more than this is another model.
_LARGEST_DIFFERENCE = 1e-3
logger = logging.getLogger(__name__)


def predict_from_features(
    features: FeatureTable,
    head: KerasModel,
    splits: pd.DataFrame,
    class_names: list[str],
    parameters: TrainSampleParameters,
) -> pd.DataFrame:
    """Classify the pictures of train_dev, dev and test and some of train from stored features.

    The backbone is not run again: ``frozen_classifier`` is this very backbone and head, which
    :func:`check_frozen_classifier` proves on pictures.

    Returns:
        ``frozen_predictions``, in the order of ``splits``: ``image_id``, ``split``, ``model``,
        ``label``, ``predicted`` and ``probability_<class>`` for every class.
    """
    from graft.models.inference import compile_forward

    batch_size = 256
    forward = compile_forward(head, batch_size)
    probabilities = np.empty((len(features), len(class_names)), np.float32)
    for rows, block in features.read_blocks():
        for start in range(0, len(block), batch_size):
            batch = forward(block[start : start + batch_size])
            probabilities[rows.start + start : rows.start + start + len(batch)] = batch
    table = pd.DataFrame(probabilities, columns=[f"probability_{name}" for name in class_names])
    table.insert(0, "predicted", np.array(class_names)[probabilities.argmax(axis=1)])
    table.insert(0, "image_id", features.keys["image_id"])
    table = table[features.keys["view"] == 0]
    measured = splits.iloc[list_measured(splits, parameters)][["image_id", "split", "label"]]
    measured.insert(2, "model", FROZEN)
    return measured.merge(table, on="image_id", validate="one_to_one").astype(
        {"split": "str", "model": "str", "predicted": "str"}
    )


def check_frozen_classifier(
    frozen_classifier: KerasModel,
    images: np.ndarray,
    splits: pd.DataFrame,
    predictions: pd.DataFrame,
    parameters: EvaluationParameters,
) -> dict[str, float]:
    """Prove that the saved classifier gives, from pictures, what was computed from features.

    Returns:
        ``pictures``: how many of dev were compared. ``largest_difference``: of a probability.

    Raises:
        GraftError: If it gives something else.
    """
    from graft.models.inference import compile_forward

    rows = np.flatnonzero(splits["split"] == "dev")[: parameters.checked_pictures]
    forward = compile_forward(frozen_classifier, batch_size=16)
    given = np.concatenate(
        [
            forward(copy_pictures(images, rows[start : start + 16]))
            for start in range(0, len(rows), 16)
        ]
    )
    expected = predictions.set_index("image_id").loc[splits["image_id"].iloc[rows]]
    difference = float(np.abs(given - get_probabilities(expected)).max())
    if not difference <= _LARGEST_DIFFERENCE:
        raise GraftError(
            "the saved classifier does not give what was measured; probabilities may differ by "
            f"{_LARGEST_DIFFERENCE}; train the head again; got a difference of {difference:.2g}"
        )
    return {"pictures": len(rows), "largest_difference": difference}


def measure_predictions(
    predictions: pd.DataFrame,
    chosen_predictions: pd.DataFrame,
    splits: pd.DataFrame,
    class_names: list[str],
    parameters: EvaluationParameters,
) -> tuple[dict[str, Any], pd.DataFrame]:
    """Measure every model on train_dev and dev, and the chosen one on test.

    Returns:
        ``metrics``: model → split → ``n``, ``clusters`` (of pictures that belong together) and
        the figures with their intervals, see
        :func:`graft.scores.intervals.measure_with_intervals`; on test those that
        :func:`graft.pipelines.evaluation.shown.select_shown` leaves.
        ``class_metrics``: ``model``, ``split``, ``class``, ``precision``, ``recall``, ``f1``,
        ``support``.
    """
    metrics: dict[str, Any] = {}
    tables = []
    cluster_of = splits.set_index("image_id")["cluster"]
    shown = select_shown(predictions, chosen_predictions, parameters)
    for (model, split), rows in shown.groupby(["model", "split"], sort=False):
        clusters = cluster_of.loc[rows["image_id"]].to_numpy()
        figures = measure_with_intervals(
            pd.Categorical(rows["label"], categories=class_names).codes.astype(np.int64),
            get_probabilities(rows),
            parameters.bootstrap_draws,
            parameters.confidence,
            parameters.seed,
            clusters,
        )
        counts = {"n": len(rows), "clusters": len(np.unique(clusters))}
        metrics.setdefault(model, {})[split] = {**counts, **figures}
        table = tabulate_classes(rows["label"], rows["predicted"], class_names)
        table.insert(0, "split", split)
        table.insert(0, "model", model)
        tables.append(table)
    return metrics, pd.concat(tables, ignore_index=True)


def get_probabilities(predictions: pd.DataFrame) -> np.ndarray:
    """Probabilities (n, C), float64, in the order of the class names."""
    return predictions.filter(regex="^probability_").to_numpy(np.float64)
