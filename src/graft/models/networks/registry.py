"""Networks that are trained from scratch, by name, and what they are built with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import keras


@dataclass(frozen=True)
class NetworkSettings:
    """What goes for every layer of a network.

    Attributes:
        class_count: Number of classes C.
        activation: Of all layers but the last: a name that Keras knows, such as ``"relu"``.
        initializer: Of all kernels: a name that Keras knows, such as ``"glorot_uniform"``.
        l1: Factor of the L1 penalty on kernels.
        l2: Factor of the L2 penalty on kernels.
        seed: Seed of the start weights and of dropout.
    """

    class_count: int
    activation: str = "relu"
    initializer: str = "glorot_uniform"
    l1: float = 0.0
    l2: float = 0.0
    seed: int = 0

    def make_convolution(
        self, filters: int, position: int, padding: str = "valid"
    ) -> keras.layers.Conv2D:
        """A 3×3 convolution; equal settings and positions start with equal weights."""
        return keras.layers.Conv2D(
            filters,
            3,
            padding=padding,
            activation=self.activation,
            kernel_initializer=self._make_initializer(position),
            kernel_regularizer=self._make_regularizer(),
            name=f"conv{position}",
        )

    def make_dense(self, units: int, position: int) -> keras.layers.Dense:
        """A dense layer; equal settings and positions start with equal weights."""
        return keras.layers.Dense(
            units,
            activation=self.activation,
            kernel_initializer=self._make_initializer(position),
            kernel_regularizer=self._make_regularizer(),
            name=f"dense{position}",
        )

    def make_output(self, position: int) -> keras.layers.Dense:
        """The last layer: a probability a class."""
        return keras.layers.Dense(
            self.class_count,
            activation="softmax",
            kernel_initializer=self._make_initializer(position),
            kernel_regularizer=self._make_regularizer(),
            name="probabilities",
        )

    def make_dropout(self, share: float, position: int) -> keras.layers.Dropout:
        """Dropout with a seed of its own."""
        return keras.layers.Dropout(
            share, seed=100 * self.seed + position, name=f"dropout{position}"
        )

    def _make_initializer(self, position: int) -> keras.initializers.Initializer:
        # One seed for all layers would draw the same numbers again in each of them.
        kind = type(keras.initializers.get(self.initializer))
        return kind(seed=100 * self.seed + position)

    def _make_regularizer(self) -> keras.regularizers.Regularizer | None:
        if not self.l1 and not self.l2:
            return None
        return keras.regularizers.L1L2(l1=self.l1, l2=self.l2)


# From pixels (N, H, W, channels), 0 to 1, to probabilities (N, C).
Builder = Callable[[keras.KerasTensor, NetworkSettings], keras.KerasTensor]


@dataclass(frozen=True)
class Network:
    """A network and the pictures that it is made for.

    Attributes:
        build: Adds its layers to pixels.
        image_size: Side of the pictures in pixels; None takes any.
        channels: 1 for grey, 3 for RGB; None takes any.
    """

    build: Builder
    image_size: int | None = None
    channels: int | None = None


NETWORKS: dict[str, Network] = {}


def register_network(name: str, image_size: int, channels: int = 1) -> Callable[[Builder], Builder]:
    """Add a network under the name that ``training.network`` calls it by."""

    def register(build: Builder) -> Builder:
        NETWORKS[name] = Network(build, image_size, channels)
        return build

    return register
