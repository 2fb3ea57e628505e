"""What backbone and head say, from stored features."""

from __future__ import annotations

import numpy as np
import pandas as pd

from graft.datasets.features import FeatureTable
from graft.parameters.base import TrainSampleParameters
from graft.pipelines.candidates import list_measured, tabulate_predictions
from graft.types import KerasModel

_BATCH = 256


def predict_from_features(
    features: FeatureTable,
    head: KerasModel,
    splits: pd.DataFrame,
    class_names: list[str],
    parameters: TrainSampleParameters,
) -> pd.DataFrame:
    """Classify the pictures of train_dev, dev and test and some of train from stored features.

    The backbone is not run again: ``frozen.classifier`` is this very backbone and head.

    Returns:
        ``frozen.predictions``, see :func:`~graft.pipelines.candidates.tabulate_predictions`.
    """
    from graft.models.inference import predict_rows

    pictures = splits.iloc[list_measured(splits, parameters)]
    rows = features.find_rows(pictures["image_id"])
    order = np.argsort(rows)  # as they lie on the disk
    probabilities = np.empty((len(rows), len(class_names)), np.float32)
    probabilities[order] = predict_rows(head, features.read_rows, rows[order], _BATCH)
    return tabulate_predictions(pictures, probabilities, class_names)
