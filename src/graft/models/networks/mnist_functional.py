"""The same network as ``mnist_sequential``, with the functional interface.

layer            output, 10 classes   weights
pixels           28 x 28 x 1                0
conv1, 3 x 3     26 x 26 x 32             320
pool1            13 x 13 x 32               0
conv2, 3 x 3     11 x 11 x 64          18,496
pool2            5 x 5 x 64                 0
conv3, 3 x 3     3 x 3 x 64            36,928
flat             576                        0
dense4           64                    36,928
probabilities    10                       650
------
93,322
"""

from __future__ import annotations

import keras

from graft.models.networks.registry import NetworkSettings, register_network


@register_network("mnist_functional", image_size=28)
def build_mnist_functional(
    pixels: keras.KerasTensor, settings: NetworkSettings
) -> keras.KerasTensor:
    """Add the network to pixels (N, 28, 28, 1), 0 to 1."""
    x = settings.make_convolution(32, 1)(pixels)
    x = keras.layers.MaxPooling2D(2, name="pool1")(x)
    x = settings.make_convolution(64, 2)(x)
    x = keras.layers.MaxPooling2D(2, name="pool2")(x)
    x = settings.make_convolution(64, 3)(x)
    x = keras.layers.Flatten(name="flat")(x)
    x = settings.make_dense(64, 4)(x)
    return settings.make_output(5)(x)
