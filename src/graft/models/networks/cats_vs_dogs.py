"""The network for cats and dogs that transfer learning is measured against.

The moving statistics of batch normalisation have a momentum of 0.9: with a few hundred pictures an
epoch is a dozen steps, and with Keras' 0.99 they would lag behind the weights for many epochs.

    layer                output, 2 classes    weights
    pixels               50 x 50 x 1                0
    conv1, 3 x 3         48 x 48 x 48             480
    pool1                24 x 24 x 48               0
    norm1                24 x 24 x 48             192
    conv2, 3 x 3         22 x 22 x 48          20,784
    pool2                11 x 11 x 48               0
    norm2                11 x 11 x 48             192
    dropout3, 0.4        11 x 11 x 48               0
    flat                 5,808                      0
    dense4               512                2,974,208
    dropout5, 0.5        512                        0
    probabilities        2                      1,026
    ---------
    2,996,882
"""

from __future__ import annotations

import keras

from graft.models.networks.registry import NetworkSettings, register_network


@register_network("cats_vs_dogs_small", image_size=50)
def build_cats_vs_dogs_small(
    pixels: keras.KerasTensor, settings: NetworkSettings
) -> keras.KerasTensor:
    """Add the network to pixels (N, 50, 50, 1), 0 to 1."""
    x = pixels
    for position in (1, 2):
        x = settings.make_convolution(48, position)(x)
        x = keras.layers.MaxPooling2D(2, name=f"pool{position}")(x)
        x = keras.layers.BatchNormalization(momentum=0.9, name=f"norm{position}")(x)
    x = settings.make_dropout(0.4, 3)(x)
    x = keras.layers.Flatten(name="flat")(x)
    x = settings.make_dense(512, 4)(x)
    x = settings.make_dropout(0.5, 5)(x)
    return settings.make_output(6)(x)
