"""Which devices a training runs on; on one processor there is nothing to choose or to tell."""

from __future__ import annotations

import logging

import keras
import tensorflow as tf

logger = logging.getLogger(__name__)


def tell_devices() -> None:
    """Say which GPUs there are.

    Nothing is set here: TensorFlow has taken them with the first network that was loaded. That
    it takes their memory as it is needed is said where the package is first imported.
    """
    for gpu in tf.config.list_physical_devices("GPU"):
        details = tf.config.experimental.get_device_details(gpu)
        logger.info("Device       %s", details.get("device_name", gpu.name))


def choose_strategy(devices: list[str] | None = None) -> tf.distribute.Strategy | None:
    """A strategy that trains on all GPUs of this host; None if there are fewer than two.

    Args:
        devices: Names of logical devices to use in place of the GPUs.
    """
    names = devices or [device.name for device in tf.config.list_logical_devices("GPU")]
    if len(names) < 2:
        return None
    logger.info("Devices      %d, a share of every batch on each", len(names))
    return tf.distribute.MirroredStrategy(names)


def copy_to_devices(model: keras.Model, strategy: tf.distribute.Strategy) -> keras.Model:
    """A copy of a model with the same weights on all devices of a strategy.

    Its trained weights come back with ``model.set_weights(copy.get_weights())``.
    """
    with strategy.scope():
        copy = keras.models.clone_model(model)
        copy.set_weights(model.get_weights())
    for mine, other in zip(copy._flatten_layers(), model._flatten_layers(), strict=True):
        if not isinstance(mine, keras.Model):
            mine.trainable = other.trainable
    return copy
