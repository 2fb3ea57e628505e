"""Precision: bfloat16 where a device computes faster with it, float32 in what is saved."""

from __future__ import annotations

import keras

from graft.backends.backend import load_backend
from graft.errors import GraftError


def choose_precision(precision: str, stage: str) -> str:
    """``"float32"`` or ``"mixed_bfloat16"``, whichever was meant.

    Args:
        precision: ``"float32"``; ``"mixed_bfloat16"``; ``"auto"``, which is the latter on devices
            that compute faster with it.
        stage: Name of the stage, for the message.

    Raises:
        GraftError: If bfloat16 is asked for where it only makes things slower.
    """
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
