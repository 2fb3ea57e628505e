"""The simple network for traffic signs: one convolution and a softmax.

layer            output, 43 classes   weights
pixels           32 x 32 x 1                0
conv1, 3 x 3     30 x 30 x 32             320
flat             28,800                     0
probabilities    43                 1,238,443
---------
1,238,763
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
