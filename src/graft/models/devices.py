"""Which devices a training runs on; on one processor there is nothing to choose or to tell."""

from __future__ import annotations

import logging

import keras
import tensorflow as tf

from graft.errors import GraftError

logger = logging.getLogger(__name__)


def prepare_devices(gpu_memory: str | int) -> None:
    """Say how much memory of a GPU this process takes, and which GPUs there are.

    Args:
        gpu_memory: ``"growth"``: as much as is needed; ``"all"``; or a limit in MB.

    Raises:
        GraftError: If the GPU is already in use by this process with another setting.
    """
    gpus = tf.config.list_physical_devices("GPU")
    try:
        for gpu in gpus:
            if gpu_memory == "growth":
                tf.config.experimental.set_memory_growth(gpu, True)
            elif gpu_memory != "all":
                limit = tf.config.LogicalDeviceConfiguration(memory_limit=int(gpu_memory))
                tf.config.set_logical_device_configuration(gpu, [limit])
    except (RuntimeError, ValueError) as error:
        raise GraftError(
            "gpu_memory: an earlier stage of this run has taken the GPU in another way; run this "
            f"stage alone with --pipelines=fine_tuning; got {gpu_memory!r}"
        ) from error
    for gpu in gpus:
        details = tf.config.experimental.get_device_details(gpu)
        logger.info("Device       %s, memory %s", details.get("device_name", gpu.name), gpu_memory)


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
