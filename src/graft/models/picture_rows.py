"""Pictures of an array, by their rows: as training batches, and classified."""

from __future__ import annotations

from collections.abc import Iterator

import keras
import numpy as np
import pandas as pd

from graft.models.class_weights import read_sample_weights, weigh_pictures
from graft.models.inference import compile_forward
from graft.models.row_pools import ArrayReader, Read, RowPools
from graft.training_parameters import TrainingParameters


def pool_rows(
    read: Read, splits: pd.DataFrame, class_count: int, parameters: TrainingParameters
) -> tuple[RowPools, RowPools]:
    """Divide the rows of an array into train, with their weights, and dev.

    Args:
        read: Copies rows of an array (N, …) in the order of ``splits``.
        splits: Columns ``split``, ``label_index`` and, if asked for, that of sample weights.
        class_count: Number of classes.
        parameters: Weights of classes and samples.

    Raises:
        GraftError: If the column of sample weights is missing or wrong.
    """
    train, dev = (np.flatnonzero(splits["split"] == split) for split in ("train", "dev"))
    labels = splits["label_index"].to_numpy(np.int64)
    weights = weigh_pictures(labels[train], class_count, parameters.class_weights)
    if parameters.sample_weights is not None:
        weights *= read_sample_weights(
            splits.iloc[train], parameters.sample_weights, parameters.stage
        )
    reader = ArrayReader(read)
    return (
        RowPools(reader, train, labels[train], weights),
        RowPools(reader, dev, labels[dev], np.ones(len(dev), np.float32)),
    )


def classify_batches(
    classifier: keras.Model,
    read: Read,
    rows: np.ndarray,
    batch_size: int,
) -> Iterator[np.ndarray]:
    """Probabilities (n, C), float32, of so many rows at a time.

    Args:
        classifier: From inputs to probabilities.
        read: From row numbers to inputs.
        rows: Row numbers.
        batch_size: Rows a forward pass.
    """
    forward = compile_forward(classifier, batch_size)
    for start in range(0, len(rows), batch_size):
        yield forward(read(rows[start : start + batch_size]))
