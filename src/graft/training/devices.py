"""Seeds, determinism and devices of a training."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import keras

from graft.backends.backend import load_backend
from graft.models.fusing import fuse_frozen_norms
from graft.models.precision import choose_precision, clone_mixed
from graft.progress import tell


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
        tell("Device", "%s", gpu.name)


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
