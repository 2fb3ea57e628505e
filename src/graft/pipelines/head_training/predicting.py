"""What backbone and head say, from stored features."""

from __future__ import annotations

import numpy as np
import pandas as pd

from graft.datasets.features import FeatureTable
from graft.parameters.base import TrainSampleParameters
from graft.pipelines.candidates import list_measured, tabulate_predictions
from graft.types import KerasModel


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
    from graft.models.inference import compile_forward

    batch_size = 256
    forward = compile_forward(head, batch_size)
    probabilities = np.empty((len(features), len(class_names)), np.float32)
    for rows, block in features.read_blocks():
        for start in range(0, len(block), batch_size):
            batch = forward(block[start : start + batch_size])
            probabilities[rows.start + start : rows.start + start + len(batch)] = batch
    own = np.flatnonzero(features.keys["view"] == 0)
    place = pd.Series(own, index=features.keys["image_id"].iloc[own])
    pictures = splits.iloc[list_measured(splits, parameters)]
    measured = probabilities[place.loc[pictures["image_id"]]]
    return tabulate_predictions(pictures, measured, class_names)
