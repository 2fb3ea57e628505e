"""Networks for traffic signs: a simple one, and one with batch normalisation, pooling and dropout.

layer            output, 43 classes   weights
pixels           32 x 32 x 1                0
conv1, 3 x 3     30 x 30 x 32             320
flat             28,800                     0
probabilities    43                 1,238,443
---------
1,238,763

The moving statistics of batch normalisation have a momentum of 0.9: with a few hundred pictures an
epoch is a dozen steps, and with Keras' 0.99 they would lag behind the weights for many epochs.

    layer                output, 43 classes   weights
    pixels               32 x 32 x 1                0
    conv1, 3 x 3         30 x 30 x 32             320
    norm1                30 x 30 x 32             128
    conv2, 3 x 3         28 x 28 x 64          18,496
    norm2                28 x 28 x 64             256
    pool                 14 x 14 x 64               0
    dropout3, 0.4        14 x 14 x 64               0
    flat                 12,544                     0
    dense4               512                6,423,040
    dropout5, 0.5        512                        0
    probabilities        43                    22,059
    ---------
    6,464,299
"""

from __future__ import annotations

import keras

from graft.models.networks.registry import NetworkSettings, register_network


@register_network("gtsrb_simple", image_size=32)
def build_gtsrb_simple(pixels: keras.KerasTensor, settings: NetworkSettings) -> keras.KerasTensor:
    """Add the network to pixels (N, 32, 32, 1), 0 to 1."""
    x = settings.make_convolution(32, 1)(pixels)
    x = keras.layers.Flatten(name="flat")(x)
    return settings.make_output(2)(x)


@register_network("gtsrb_improved", image_size=32)
def build_gtsrb_improved(pixels: keras.KerasTensor, settings: NetworkSettings) -> keras.KerasTensor:
    """Add the network to pixels (N, 32, 32, 1), 0 to 1."""
    x = settings.make_convolution(32, 1)(pixels)
    x = keras.layers.BatchNormalization(momentum=0.9, name="norm1")(x)
    x = settings.make_convolution(64, 2)(x)
    x = keras.layers.BatchNormalization(momentum=0.9, name="norm2")(x)
    x = keras.layers.MaxPooling2D(2, name="pool")(x)
    x = settings.make_dropout(0.4, 3)(x)
    x = keras.layers.Flatten(name="flat")(x)
    x = settings.make_dense(512, 4)(x)
    x = settings.make_dropout(0.5, 5)(x)
    return settings.make_output(6)(x)
