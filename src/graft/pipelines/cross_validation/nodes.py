"""Nodes of the cross-validation that train."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from graft.boundary_rows import stream_activations
from graft.datasets.features import FeatureTable
from graft.fine_tuning_parameters import FineTuningParameters
from graft.images.blocks import RowStream
from graft.images.origins import TracedRows
from graft.pipelines.cross_validation.fold_inputs import FoldInputs
from graft.pipelines.cross_validation.folds import Fold, find_used, make_folds
from graft.pipelines.cross_validation.parameters import CrossValidationParameters
from graft.pipelines.cross_validation.trainings import (
    fine_tune_fold,
    refuse_nothing_to_tune,
    train_head_of_fold,
)
from graft.progress import track
from graft.scores.checks import check_probabilities
from graft.scores.metrics import METRICS
from graft.training_parameters import HeadTrainingParameters
from graft.types import KerasModel

FROZEN, FINE_TUNED = "frozen", "fine_tuned"


def store_fold_activations(
    backbone: KerasModel,
    images: np.ndarray,
    image_origins: pd.DataFrame,
    splits: pd.DataFrame,
    class_names: list[str],
    former_boundary_activations: TracedRows | None,
    fine_tuning: FineTuningParameters,
    parameters: CrossValidationParameters,
) -> RowStream | np.ndarray:
    """Compute what the frozen blocks give for every picture but those of test, and its views.

    What the fine-tuning stage has stored is taken over; it stores no augmented views of dev, and
    here every picture is trained on.

    Returns:
        ``fold_activations`` (R, …): each picture and then its views, as a stream; without rows
        if no fold is fine-tuned, or pictures are trained on.

    Raises:
        GraftError: If there is no such block, none is to be trained, or folds are not possible.
    """
    if not parameters.fine_tuning:
        return np.zeros((0, 1), fine_tuning.activation_dtype)
    list(make_folds(splits, class_names, parameters))  # refused before hours of work
    from graft.models.boundary import BoundaryPlan
    from graft.models.devices import tell_devices
    from graft.models.freezing import cut_backbone
    from graft.models.runtime import seed_everything

    tell_devices()
    seed_everything(fine_tuning.seed)
    cut = cut_backbone(backbone, fine_tuning.unfreeze)
    refuse_nothing_to_tune(cut)
    if cut.trunk is None or not fine_tuning.activation_cache:
        return np.zeros((0, 1), fine_tuning.activation_dtype)
    plan = BoundaryPlan(find_used(splits), np.arange(0), fine_tuning.views)
    former = former_boundary_activations
    return stream_activations(cut.trunk, plan, images, image_origins, splits, former, fine_tuning)


def cross_validate(
    features: FeatureTable,
    backbone: KerasModel,
    fold_activations: np.ndarray,
    images: np.ndarray,
    splits: pd.DataFrame,
    class_names: list[str],
    head_training: HeadTrainingParameters,
    fine_tuning: FineTuningParameters,
    parameters: CrossValidationParameters,
) -> pd.DataFrame:
    """Train on all folds but two, stop by one of the two, measure on the other; a fold at a time.

    Augmented features are stored of the pictures of train alone; of the others, the picture
    itself is trained on. The test split is not used.

    Returns:
        ``cross_validation_scores``, a row a fold and model: ``model``, ``fold``, ``train``,
        ``stop`` and ``measured`` (numbers of pictures), and every registered metric.

    Raises:
        GraftError: If a class has fewer clusters than there are folds.
    """
    from graft.models.devices import tell_devices

    tell_devices()
    classes = len(class_names)
    labels = splits["label_index"].to_numpy(np.int64)
    inputs = FoldInputs(fold_activations, images, splits, find_used(splits), fine_tuning)
    rows = []
    folds = list(make_folds(splits, class_names, parameters))
    for fold in track(folds, len(folds), "validating", "folds"):
        head, found = train_head_of_fold(fold, features, splits, classes, head_training)
        rows.append(_measure(FROZEN, fold, labels, found))
        if parameters.fine_tuning:
            found = fine_tune_fold(fold, backbone, head, inputs, classes, fine_tuning)
            rows.append(_measure(FINE_TUNED, fold, labels, found))
    return pd.DataFrame(rows)


def _measure(
    model: str, fold: Fold, labels: np.ndarray, probabilities: np.ndarray
) -> dict[str, Any]:
    once = np.ones((1, len(fold.measure)))
    owner = f"the {model.replace('_', '-')} classifier of fold {fold.number}"
    wide = check_probabilities(probabilities.astype(np.float64), owner)
    return {
        "model": model,
        "fold": fold.number,
        "train": len(fold.train),
        "stop": len(fold.stop),
        "measured": len(fold.measure),
        **{
            name: float(metric(labels[fold.measure], wide, once)[0])
            for name, metric in METRICS.items()
        },
    }
