"""Heads trained on stored features: once, or again and again from different starts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import keras
import numpy as np
import pandas as pd

from graft.backends.backend import load_backend
from graft.models.heads import build_head
from graft.models.inference import compile_forward
from graft.parameters.training import HeadTrainingParameters
from graft.training.devices import seed_everything
from graft.training.losses import check_outputs, read_sample_weights, weigh_pictures
from graft.training.shuffling import RowPools, RowReader


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


class RepeatedTraining:
    """Trains a network anew for every seed, for a fixed number of steps.

    Tracing and compiling a training step takes longer than a few hundred steps of a small
    network. So one model is compiled, and each time set back to the start that a freshly built
    one would have.

    Args:
        build: Function from a seed to an untrained model that ends in probabilities.
        learning_rate: Of Adam.
    """

    def __init__(self, build: Callable[[int], keras.Model], learning_rate: float) -> None:
        self._build = build
        self._model = build(0)
        self._model.compile(keras.optimizers.Adam(learning_rate), "sparse_categorical_crossentropy")
        self._model.optimizer.build(self._model.trainable_variables)
        self._optimizer_start = [
            keras.ops.convert_to_numpy(variable) for variable in self._model.optimizer.variables
        ]
        self._forward = compile_forward(self._model, batch_size=64)

    def train(
        self, inputs: np.ndarray, labels: np.ndarray, steps: int, batch_size: int, seed: int
    ) -> None:
        """Start anew and train; afterwards ``classify`` uses the trained weights.

        Args:
            inputs: Pictures (n, H, W, 3) uint8 or features (n, D) float32; a few.
            labels: Class indices, int (n,).
            steps: Training steps.
            batch_size: Rows a step; all n if there are fewer.
            seed: Seed of the start and of the order.
        """
        self._start_anew(seed)
        size = min(batch_size, len(labels))
        batches = load_backend().repeat_batches(inputs, labels, size, seed)
        self._model.fit(batches, steps_per_epoch=steps, epochs=1, shuffle=False, verbose=0)

    def classify(self, inputs: np.ndarray) -> np.ndarray:
        """Most probable class of every input, int (n,)."""
        starts = range(0, len(inputs), 64)
        return np.concatenate(
            [self._forward(inputs[start : start + 64]).argmax(axis=1) for start in starts]
        )

    def _start_anew(self, seed: int) -> None:
        fresh = self._build(seed)
        # `variables`, unlike `weights`, holds the state of the dropout too.
        for mine, new in zip(self._model.variables, fresh.variables, strict=True):
            mine.assign(new)
        for mine, new in zip(self._model.optimizer.variables, self._optimizer_start, strict=True):
            mine.assign(new)
