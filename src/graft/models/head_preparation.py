"""A head as it is before its training, and the features that it is trained on."""

from __future__ import annotations

from typing import Protocol

import keras
import numpy as np
import pandas as pd

from graft.models.class_weights import read_sample_weights, weigh_pictures
from graft.models.heads import build_head
from graft.models.losses import check_outputs
from graft.models.row_pools import RowPools, RowReader
from graft.models.runtime import seed_everything
from graft.training_parameters import HeadTrainingParameters


class Features(RowReader, Protocol):
    """Stored features, such as the catalog's: their rows, and what each row is of."""

    keys: pd.DataFrame
    dimension: int


def prepare_head(
    dimension: int, class_count: int, parameters: HeadTrainingParameters
) -> keras.Model:
    """Seed the process and build the head.

    Raises:
        GraftError: If loss, outputs and number of classes do not go together.
    """
    output_count = parameters.count_outputs(class_count)
    check_outputs(parameters.loss, output_count, class_count, parameters.stage)
    seed_everything(parameters.seed)
    return build_head(
        dimension,
        class_count,
        parameters.dropout,
        weight_decay=0.0,  # `fit` adds it, in the way of the optimizer
        seed=parameters.seed,
        output_count=output_count,
        hidden_units=parameters.hidden_units,
    )


def prepare_features(
    features: Features,
    splits: pd.DataFrame,
    class_count: int,
    parameters: HeadTrainingParameters,
) -> tuple[RowPools, RowPools, pd.DataFrame]:
    """Divide features into train, with all views and weights, and dev.

    Returns:
        Train, dev, and a row a picture of dev in the order of the features: the columns of
        ``splits``, and ``image_row``, its row there.

    Raises:
        GraftError: If the column of sample weights is missing or wrong.
    """
    rows = splits.assign(image_row=np.arange(len(splits)))
    keys = features.keys.merge(rows, on="image_id", how="left", validate="many_to_one")
    train = keys[keys["split"] == "train"]
    dev = keys[(keys["split"] == "dev") & (keys["view"] == 0)]
    labels = train["label_index"].to_numpy(np.int64)
    weights = weigh_pictures(labels, class_count, parameters.class_weights)
    if parameters.sample_weights is not None:
        weights *= read_sample_weights(train, parameters.sample_weights, parameters.stage)
    dev_labels = dev["label_index"].to_numpy(np.int64)
    return (
        RowPools(features, train.index.to_numpy(), labels, weights),
        RowPools(features, dev.index.to_numpy(), dev_labels, np.ones(len(dev), np.float32)),
        dev,
    )
