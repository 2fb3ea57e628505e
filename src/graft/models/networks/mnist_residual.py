"""A small network for handwritten digits with a residual connection (He et al., 2016).

layer            output, 10 classes   weights   input
pixels           28 x 28 x 1                0
conv1, 3 x 3     26 x 26 x 32             320
pool1            13 x 13 x 32               0
conv2, 3 x 3     13 x 13 x 32           9,248   pool1
conv3, 3 x 3     13 x 13 x 32           9,248
add              13 x 13 x 32               0   pool1, conv3
pool2            6 x 6 x 32                 0
flat             1,152                      0
dense4           64                    73,792
probabilities    10                       650
------
93,258
"""

from __future__ import annotations

import keras

from graft.models.networks.registry import NetworkSettings, register_network


@register_network("mnist_residual", image_size=28)
def build_mnist_residual(pixels: keras.KerasTensor, settings: NetworkSettings) -> keras.KerasTensor:
    """Add the network to pixels (N, 28, 28, 1), 0 to 1."""
    x = settings.make_convolution(32, 1)(pixels)
    short_cut = keras.layers.MaxPooling2D(2, name="pool1")(x)
    x = settings.make_convolution(32, 2, padding="same")(short_cut)
    x = settings.make_convolution(32, 3, padding="same")(x)
    x = keras.layers.Add(name="add")([short_cut, x])
    x = keras.layers.MaxPooling2D(2, name="pool2")(x)
    x = keras.layers.Flatten(name="flat")(x)
    x = settings.make_dense(64, 4)(x)
    return settings.make_output(5)(x)
