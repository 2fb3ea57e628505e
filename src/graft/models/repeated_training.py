"""Training one network again and again from different starts, compiled once."""

from __future__ import annotations

from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf

from graft.models.inference import compile_forward


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
        batches = (
            tf.data.Dataset.from_tensor_slices((inputs, labels))
            .shuffle(len(labels), seed=seed, reshuffle_each_iteration=True)
            .repeat()
            .batch(min(batch_size, len(labels)))
        )
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
