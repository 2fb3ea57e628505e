"""Setting up TensorFlow for a stage: seeded and deterministic."""

from __future__ import annotations

import keras
import tensorflow as tf

tf.get_logger().setLevel("ERROR")


def seed_everything(seed: int) -> None:
    """Make all that follows in this process reproducible, bit for bit on one machine.

    Keras draws the seeds of layers from Python's global generator, so that is seeded too, and
    operations whose result depends on the order of threads are replaced by ordered ones.
    """
    keras.backend.clear_session()
    keras.utils.set_random_seed(seed)
    tf.config.experimental.enable_op_determinism()
