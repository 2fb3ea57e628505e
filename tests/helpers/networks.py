"""Networks that several tests build."""

from __future__ import annotations

import keras

# Keras gives out whole networks alone; what makes them is here.
from keras.src.applications import efficientnet


def build_short_efficientnet() -> keras.Model:
    """EfficientNet of its first three blocks: what is peculiar to it, for a tenth of its cost.

    A `Normalization` with constants, swish, squeeze and excitation; the last block has a bypass
    and drops out. From pictures (N, 32, 32, 3), uint8, to features; random weights.
    """
    keras.utils.set_random_seed(0)
    pictures = keras.Input((32, 32, 3), dtype="uint8")
    network = efficientnet.EfficientNet(
        0.5, 1.0, 32, blocks_args=efficientnet.DEFAULT_BLOCKS_ARGS[:2], include_top=False,
        weights=None, input_tensor=keras.ops.cast(pictures, "float32"), pooling="avg",
    )  # fmt: skip
    return keras.Model(pictures, network.output, name=network.name)
