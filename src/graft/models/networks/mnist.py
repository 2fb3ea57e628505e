"""Small networks for handwritten digits, the same one written in three ways and a residual one.

After the example of the Keras documentation and Chollet, Deep Learning with Python (2017, 5.1).

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

from dataclasses import asdict
from typing import Any

import keras

from graft.models.networks.registry import NetworkSettings, register_network


@register_network("mnist_sequential", image_size=28)
def build_mnist_sequential(
    pixels: keras.KerasTensor, settings: NetworkSettings
) -> keras.KerasTensor:
    """Add the network to pixels (N, 28, 28, 1), 0 to 1."""
    network = keras.Sequential(
        [
            settings.make_convolution(32, 1),
            keras.layers.MaxPooling2D(2, name="pool1"),
            settings.make_convolution(64, 2),
            keras.layers.MaxPooling2D(2, name="pool2"),
            settings.make_convolution(64, 3),
            keras.layers.Flatten(name="flat"),
            settings.make_dense(64, 4),
            settings.make_output(5),
        ],
        name="mnist_sequential",
    )
    return network(pixels)


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
