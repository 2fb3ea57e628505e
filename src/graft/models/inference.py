"""Running a model forward, at the speed of the network and with reproducible bits."""

from __future__ import annotations

from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf


def compile_forward(model: keras.Model, batch_size: int) -> Callable[[np.ndarray], np.ndarray]:
    """Compile a model's forward pass for one fixed batch shape.

    A batch of another size would be a graph of its own, with other kernels and other last
    bits. Short batches are filled up with zeros and the answer cut, so a picture's output does
    not depend on what else is in the run.

    Args:
        model: Any model of one input and one output.
        batch_size: Rows a forward pass.

    Returns:
        Function from an array (n, …) with n ≤ ``batch_size`` to float32 (n, …).
    """
    signature = tf.TensorSpec((batch_size, *model.input_shape[1:]), model.inputs[0].dtype)
    forward = tf.function(
        lambda batch: model(batch, training=False), input_signature=[signature], autograph=False
    )

    def run(batch: np.ndarray) -> np.ndarray:
        missing = batch_size - len(batch)
        if missing:
            batch = np.concatenate([batch, np.zeros((missing, *batch.shape[1:]), batch.dtype)])
        return forward(tf.convert_to_tensor(batch)).numpy()[: batch_size - missing]

    return run
