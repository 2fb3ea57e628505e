"""Nodes of the head training stage."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pandas as pd

from graft.datasets.features import FeatureTable
from graft.images.blocks import copy_rows
from graft.pipelines.head_training.parameters import HeadTrainingParameters
from graft.training_backup import TrainingBackup
from graft.types import KerasModel

logger = logging.getLogger(__name__)


def train_head(
    features: FeatureTable,
    images: np.ndarray,
    splits: pd.DataFrame,
    class_names: list[str],
    backup: TrainingBackup,
    logs: Path,
    parameters: HeadTrainingParameters,
) -> tuple[KerasModel, pd.DataFrame]:
    """Train a head on the features of train, and stop by the loss on dev.

    The pictures are only looked at for TensorBoard, if a callback writes for it.

    Returns:
        ``head``: model from features (N, D) to probabilities (N, C), with the weights of its
        best epoch. ``head_history``: a row an epoch.

    Raises:
        GraftError: If the loss does not fit the classes or is no longer a number, or another
            run trains the same head.
    """
    from graft.models.fitting import fit
    from graft.models.heads import build_head
    from graft.models.losses import check_outputs
    from graft.models.row_pools import RowPools
    from graft.models.runtime import seed_everything

    output_count = parameters.count_outputs(len(class_names))
    check_outputs(parameters.loss, output_count, len(class_names), parameters.stage)
    seed_everything(parameters.seed)
    # `fit` adds the weight decay, in the way of the optimizer.
    head = build_head(
        features.dimension,
        len(class_names),
        parameters.dropout,
        weight_decay=0.0,
        seed=parameters.seed,
        output_count=output_count,
        hidden_units=parameters.hidden_units,
    )
    rows = splits.assign(image_row=np.arange(len(splits)))
    keys = features.keys.merge(rows, on="image_id", how="left", validate="many_to_one")
    train = keys[keys["split"] == "train"]
    dev = keys[(keys["split"] == "dev") & (keys["view"] == 0)]
    pools = (
        RowPools(features, *_list_rows(train), _weigh(train, len(class_names), parameters)),
        RowPools(features, *_list_rows(dev), np.ones(len(dev), np.float32)),
    )
    history = fit(head, *pools, parameters, backup=backup, logs=logs)
    if parameters.uses_tensorboard:
        vectors = np.concatenate([pool[0] for pool in pools[1].draw()])
        _show_dev(head, vectors, images, dev, class_names, logs)
    _log_outcome(history)
    return head, history


def join_frozen_classifier(backbone: KerasModel, head: KerasModel) -> KerasModel:
    """Join backbone and head into one model.

    Returns:
        ``frozen_classifier``: from pictures (N, H, W, 3) uint8 to probabilities (N, C).
    """
    from graft.models.heads import join_classifier

    return join_classifier(backbone, head)


def _show_dev(
    head: KerasModel,
    vectors: np.ndarray,
    images: np.ndarray,
    dev: pd.DataFrame,
    class_names: list[str],
    logs: Path,
) -> None:
    from graft.models.tensorboard import show_dev

    rows = dev["image_row"].to_numpy()
    probabilities = head.predict(vectors, verbose=0)
    show_dev(
        logs,
        dev,
        probabilities,
        class_names,
        lambda chosen: copy_rows(images, rows[chosen]),
        vectors,
    )


def _list_rows(chosen: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Row numbers in the feature table, and class indices."""
    return chosen.index.to_numpy(), chosen["label_index"].to_numpy(np.int64)


def _weigh(train: pd.DataFrame, class_count: int, parameters: HeadTrainingParameters) -> np.ndarray:
    """Weight of every row, float32: of its class, times its own."""
    from graft.models.class_weights import read_sample_weights, weigh_pictures

    labels = train["label_index"].to_numpy(np.int64)
    weights = weigh_pictures(labels, class_count, parameters.class_weights)
    if parameters.sample_weights is None:
        return weights
    return weights * read_sample_weights(train, parameters.sample_weights, parameters.stage)


def _log_outcome(history: pd.DataFrame) -> None:
    best = history.loc[history["dev_loss"].idxmin()]
    logger.info(
        "Head         %d epochs; best on dev is epoch %d: loss %.3f, accuracy %.3f",
        len(history),
        int(best["epoch"]),
        best["dev_loss"],
        best["dev_accuracy"],
    )
