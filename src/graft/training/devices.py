"""Seeds, determinism, devices and precision of a training."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

import keras

from graft.backends.backend import load_backend
from graft.errors import GraftError
from graft.models.fusing import fuse_frozen_norms

logger = logging.getLogger(__name__)


def seed_everything(seed: int) -> None:
    """Make all that follows in this process reproducible, bit for bit on one machine.

    Keras draws the seeds of layers from Python's global generator, so that is seeded too, and
    operations whose result depends on the order of threads are replaced by ordered ones.
    """
    keras.backend.clear_session()
    backend = load_backend()
    backend.seed(seed)
    backend.make_deterministic()


def tell_devices() -> None:
    """Say which GPUs there are."""
    for gpu in load_backend().list_accelerators():
        logger.info("Device       %s", gpu.name)


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
    backend = load_backend()
    with backend.open_scope(model):
        if choose_precision(precision, stage) == "float32":
            plain = keras.Model(model.inputs, model.outputs, name=model.name)
            yield fuse_frozen_norms(plain) if backend.count_replicas(plain) == 1 else plain
            return
        clone = clone_mixed(model)
    yield clone
    model.set_weights(clone.get_weights())


def choose_precision(precision: str, stage: str) -> str:
    """``"float32"`` or ``"mixed_bfloat16"``, whichever was meant; see `open_for_training`."""
    if precision == "float32":
        return precision
    gpus = load_backend().list_accelerators()
    is_fast = bool(gpus) and all(gpu.is_quick_in_bfloat16 for gpu in gpus)
    if precision == "auto":
        return "mixed_bfloat16" if is_fast else "float32"
    if not is_fast:
        device = ", ".join(gpu.name for gpu in gpus) or "CPU"
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
