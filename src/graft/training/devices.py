"""Seeds, determinism, devices and precision of a training."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

import keras
import tensorflow as tf

from graft.errors import GraftError
from graft.models.fusing import fuse_frozen_norms

logger = logging.getLogger(__name__)

tf.get_logger().setLevel("ERROR")


def seed_everything(seed: int) -> None:
    """Make all that follows in this process reproducible, bit for bit on one machine.

    Keras draws the seeds of layers from Python's global generator, so that is seeded too, and
    operations whose result depends on the order of threads are replaced by ordered ones.
    """
    keras.backend.clear_session()
    keras.utils.set_random_seed(seed)
    tf.config.experimental.enable_op_determinism()


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


@contextmanager
def open_for_training(model: keras.Model, precision: str, stage: str) -> Iterator[keras.Model]:
    """A model to compile and train in place of ``model``, which gets its weights.

    The model itself stays as it is, float32 and not compiled: what is saved has no optimizer
    and no class of our own in it, and opens anywhere Keras is. In float32 on one device the two
    share their variables, and frozen normalizations are computed within convolutions.

    Args:
        model: The model to be trained.
        precision: ``"float32"``; ``"mixed_bfloat16"``; ``"auto"``, which is the latter on
            devices that compute faster with it.
        stage: Name of the stage, for the message.

    Raises:
        GraftError: If bfloat16 is asked for where it only makes things slower.
    """
    with model.distribute_strategy.scope():
        if choose_precision(precision, stage) == "float32":
            plain = keras.Model(model.inputs, model.outputs, name=model.name)
            is_alone = plain.distribute_strategy.num_replicas_in_sync == 1
            yield fuse_frozen_norms(plain) if is_alone else plain
            return
        clone = clone_mixed(model)
    yield clone
    model.set_weights(clone.get_weights())


def choose_precision(precision: str, stage: str) -> str:
    """``"float32"`` or ``"mixed_bfloat16"``, whichever was meant; see `open_for_training`."""
    if precision == "float32":
        return precision
    gpus = tf.config.list_physical_devices("GPU")
    details = [tf.config.experimental.get_device_details(gpu) for gpu in gpus]
    # NVIDIA computes bfloat16 in hardware since compute capability 8.0.
    is_fast = bool(gpus) and all(d.get("compute_capability", (0,)) >= (8,) for d in details)
    if precision == "auto":
        return "mixed_bfloat16" if is_fast else "float32"
    if not is_fast:
        device = ", ".join(d.get("device_name", "GPU") for d in details) or "CPU"
        raise GraftError(
            f"{stage}.precision: this device ({device}) computes bfloat16 more slowly than "
            "float32; take float32, or auto to choose by the device; got 'mixed_bfloat16'"
        )
    return precision


def clone_mixed(model: keras.Model) -> keras.Model:
    """A copy that computes in bfloat16 and keeps weights and probabilities in float32."""
    last = model.layers[-1].name

    def convert(layer: keras.Operation) -> keras.Operation:
        if not isinstance(layer, keras.Layer):
            return layer  # an operation has no weights, and its dtype may be what it does
        config = layer.get_config()
        config["dtype"] = "float32" if layer.name == last else "mixed_bfloat16"
        return layer.__class__.from_config(config)

    clone = keras.models.clone_model(model, clone_function=convert)
    clone.set_weights(model.get_weights())
    return clone
