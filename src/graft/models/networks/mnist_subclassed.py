"""The same network as ``mnist_sequential``, as a class with its own ``call``.

layer            output, 10 classes   weights
pixels           28 x 28 x 1                0
conv1, 3 x 3     26 x 26 x 32             320
pool             13 x 13 x 32               0
conv2, 3 x 3     11 x 11 x 64          18,496
pool             5 x 5 x 64                 0
conv3, 3 x 3     3 x 3 x 64            36,928
flat             576                        0
dense4           64                    36,928
probabilities    10                       650
------
93,322
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import keras

from graft.models.networks.registry import NetworkSettings, register_network


@keras.saving.register_keras_serializable(package="graft")
class MnistNetwork(keras.Model):
    """A network whose layers are called by hand; its config is all that it is built from.

    Args:
        settings: What its layers are built with, as :class:`NetworkSettings` or as a mapping.
        options: Of ``keras.Model``: ``name``, ``dtype``, ``trainable``.
    """

    def __init__(self, settings: NetworkSettings | dict[str, Any], **options: Any) -> None:
        super().__init__(**options)
        self.settings = NetworkSettings(**settings) if isinstance(settings, dict) else settings
        self.conv1 = self.settings.make_convolution(32, 1)
        self.conv2 = self.settings.make_convolution(64, 2)
        self.conv3 = self.settings.make_convolution(64, 3)
        self.pool = keras.layers.MaxPooling2D(2, name="pool")
        self.flat = keras.layers.Flatten(name="flat")
        self.dense4 = self.settings.make_dense(64, 4)
        self.probabilities = self.settings.make_output(5)

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Make the weights, for pixels of this shape."""
        shape: Any = input_shape
        for layer in self._chain:
            layer.build(shape)
            shape = layer.compute_output_shape(shape)
        self.built = True

    def call(self, pixels: keras.KerasTensor) -> keras.KerasTensor:
        """From pixels (N, 28, 28, 1), 0 to 1, to probabilities (N, C)."""
        for layer in self._chain:
            pixels = layer(pixels)
        return pixels

    def get_config(self) -> dict[str, Any]:
        """All that is needed to build the network again."""
        return {"name": self.name, "trainable": self.trainable, "settings": asdict(self.settings)}

    @property
    def _chain(self) -> tuple[keras.layers.Layer, ...]:
        return (
            self.conv1, self.pool, self.conv2, self.pool, self.conv3,
            self.flat, self.dense4, self.probabilities,
        )  # fmt: skip


@register_network("mnist_subclassed", image_size=28)
def build_mnist_subclassed(
    pixels: keras.KerasTensor, settings: NetworkSettings
) -> keras.KerasTensor:
    """Add the network to pixels (N, 28, 28, 1), 0 to 1."""
    return MnistNetwork(settings, name="mnist_subclassed")(pixels)
