"""Nodes of the evaluation stage that set a network from scratch beside transfer learning."""

from __future__ import annotations

from functools import partial

import numpy as np
import pandas as pd

from graft.images.blocks import copy_rows
from graft.pipelines.evaluation.fine_tuned import tabulate_predictions
from graft.pipelines.evaluation.parameters import TrainSampleParameters
from graft.pipelines.evaluation.sampling import list_measured
from graft.progress import track
from graft.types import KerasModel

FROM_SCRATCH = "from_scratch"
_BATCH = 64


def predict_from_scratch(
    trained_classifier: KerasModel,
    training_history: pd.DataFrame,
    images: np.ndarray,
    splits: pd.DataFrame,
    class_names: list[str],
    parameters: TrainSampleParameters,
) -> pd.DataFrame:
    """Classify the held-out pictures and some of train with the network from scratch.

    Returns:
        ``from_scratch_predictions``, with the columns of ``frozen_predictions`` and in the order
        of ``splits``; no row if no network was trained.
    """
    from graft.models.picture_rows import classify_batches

    rows = list_measured(splits, parameters)
    if training_history.empty:
        rows = rows[:0]
    batches = classify_batches(trained_classifier, partial(copy_rows, images), rows, _BATCH)
    told = track(batches, len(rows), "predicting", "pictures", step=_BATCH)
    probabilities = np.concatenate([np.zeros((0, len(class_names)), np.float32), *told])
    return tabulate_predictions(FROM_SCRATCH, splits.iloc[rows], probabilities, class_names)
