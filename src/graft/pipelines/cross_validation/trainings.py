"""The trainings of one fold, with the project's own head training and fine-tuning."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from graft.datasets.features import FeatureTable
from graft.errors import GraftError
from graft.fine_tuning_parameters import FineTuningParameters
from graft.pipelines.cross_validation.fold_inputs import FoldInputs
from graft.pipelines.cross_validation.folds import Fold
from graft.training_parameters import HeadTrainingParameters
from graft.types import KerasModel

_BATCH = 32


def train_head_of_fold(
    fold: Fold,
    features: FeatureTable,
    splits: pd.DataFrame,
    class_count: int,
    parameters: HeadTrainingParameters,
) -> tuple[KerasModel, np.ndarray]:
    """Train a head on the stored features, all views of train, and classify the held-out fold.

    Returns:
        The head, and probabilities (m, C) of the pictures to measure on.
    """
    from graft.models.fitting import fit
    from graft.models.head_preparation import prepare_features, prepare_head

    sides = np.full(len(splits), "unused", dtype=object)
    sides[fold.train], sides[fold.stop] = "train", "dev"
    head = prepare_head(features.dimension, class_count, parameters)
    train, stop, _ = prepare_features(features, splits.assign(split=sides), class_count, parameters)
    fit(head, train, stop, parameters.model_copy(update={"callbacks": ()}))
    own = np.flatnonzero(features.keys["view"] == 0)
    wanted = splits["image_id"].iloc[fold.measure]
    rows = own[pd.Index(features.keys["image_id"].iloc[own]).get_indexer(wanted)]
    return head, predict(head, features.read_rows, rows)


def fine_tune_fold(
    fold: Fold,
    backbone: KerasModel,
    head: KerasModel,
    inputs: FoldInputs,
    class_count: int,
    parameters: FineTuningParameters,
) -> np.ndarray:
    """Fine-tune the last blocks from the fold's own head; afterwards the backbone is as before.

    Returns:
        Probabilities (m, C) of the pictures to measure on.

    Raises:
        GraftError: If no block is to be trained.
    """
    from graft.models.fine_tuning import tune
    from graft.models.freezing import cut_classifier
    from graft.models.runtime import seed_everything

    seed_everything(parameters.seed)
    before = backbone.get_weights()
    cut = cut_classifier(backbone, head, parameters.unfreeze)
    refuse_nothing_to_tune(cut)
    train, stop = inputs.make_train(fold.train, class_count), inputs.make_stop(fold.stop)
    quiet = parameters.model_copy(update={"callbacks": ()})
    tune(cut, train, stop, quiet, parameters.layer_decay)
    model = cut.tail if inputs.is_stored else cut.whole
    probabilities = predict(model, inputs.read_plain, fold.measure)
    backbone.set_weights(before)
    return probabilities


def refuse_nothing_to_tune(cut: Any) -> None:
    """Refuse a classifier of which no block is to be trained."""
    if not cut.unfrozen:
        raise GraftError(
            "cross_validation.fine_tuning needs blocks to train; name them with "
            "fine_tuning.unfreeze, or set cross_validation.fine_tuning to false; got "
            "fine_tuning.unfreeze 'none'"
        )


def predict(model: KerasModel, read: Any, rows: np.ndarray) -> np.ndarray:
    """Probabilities (n, C), float32, of the inputs that ``read`` gives for rows."""
    from graft.models.inference import compile_forward

    forward, dtype = compile_forward(model, _BATCH), model.inputs[0].dtype
    starts = range(0, len(rows), _BATCH)
    return np.concatenate(
        [forward(read(rows[start : start + _BATCH]).astype(dtype)) for start in starts]
    )
