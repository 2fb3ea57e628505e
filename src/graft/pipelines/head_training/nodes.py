"""Nodes of the head training stage."""

from __future__ import annotations

import logging

import numpy as np
import pandas as pd

from graft.datasets.features import FeatureTable
from graft.pipelines.head_training.parameters import HeadTrainingParameters
from graft.types import KerasModel

logger = logging.getLogger(__name__)


def train_head(
    features: FeatureTable,
    splits: pd.DataFrame,
    class_names: list[str],
    parameters: HeadTrainingParameters,
) -> tuple[KerasModel, pd.DataFrame]:
    """Train a head on the features of train, and stop by the loss on dev.

    Returns:
        ``head``: model from features (N, D) to probabilities (N, C), with the weights of its
        best epoch. ``head_history``: a row an epoch.

    Raises:
        GraftError: If the loss is no longer a number.
    """
    from graft.models import training
    from graft.models.feature_batches import FeaturePools
    from graft.models.heads import build_head
    from graft.models.runtime import seed_everything

    seed_everything(parameters.seed)
    head = build_head(
        features.dimension,
        len(class_names),
        parameters.dropout,
        parameters.weight_decay,
        parameters.seed,
    )
    keys = features.keys.merge(splits, on="image_id", how="left", validate="many_to_one")
    rows, labels = _select(keys, "train")
    weights = training.weigh_pictures(labels, len(class_names), parameters.class_weights)
    dev_rows, dev_labels = _select(keys[keys["view"] == 0], "dev")
    history = training.train_head(
        head,
        FeaturePools(features, rows, labels, weights),
        FeaturePools(features, dev_rows, dev_labels, np.ones(len(dev_rows), np.float32)),
        parameters.learning_rate,
        parameters.batch_size,
        parameters.epochs,
        parameters.patience,
        parameters.seed,
    )
    _log_outcome(history)
    return head, history


def join_frozen_classifier(backbone: KerasModel, head: KerasModel) -> KerasModel:
    """Join backbone and head into one model.

    Returns:
        ``frozen_classifier``: from pictures (N, H, W, 3) uint8 to probabilities (N, C).
    """
    from graft.models.heads import join_classifier

    return join_classifier(backbone, head)


def _select(keys: pd.DataFrame, split: str) -> tuple[np.ndarray, np.ndarray]:
    """Row numbers in the feature table, and class indices, of the pictures of a split."""
    chosen = keys[keys["split"] == split]
    return chosen.index.to_numpy(), chosen["label_index"].to_numpy(np.int64)


def _log_outcome(history: pd.DataFrame) -> None:
    best = history.loc[history["dev_loss"].idxmin()]
    logger.info(
        "Head         %d epochs; best on dev is epoch %d: loss %.3f, accuracy %.3f",
        len(history),
        int(best["epoch"]),
        best["dev_loss"],
        best["dev_accuracy"],
    )
