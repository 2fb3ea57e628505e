"""Networks that are trained from scratch, by name, with the preprocessing inside."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras

from graft.dotted_paths import load_by_path
from graft.errors import GraftError


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
        architecture: Of a network whose layers are parameters.
    """

    class_count: int
    activation: str = "relu"
    initializer: str = "glorot_uniform"
    l1: float = 0.0
    l2: float = 0.0
    seed: int = 0
    architecture: Any = None

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


def register_network(
    name: str, image_size: int | None, channels: int | None = 1
) -> Callable[[Builder], Builder]:
    """Add a network under the name that ``from_scratch.network`` calls it by."""

    def register(build: Builder) -> Builder:
        NETWORKS[name] = Network(build, image_size, channels)
        return build

    return register


def build_classifier(
    name: str, picture_shape: tuple[int, ...], settings: NetworkSettings
) -> keras.Model:
    """Build a classifier with start weights.

    Pictures are brought to the size and the channels that the network is made for: resized
    with antialiasing, colours to the grey of ITU-R BT.601. A network of one's own takes them
    as they are.

    Args:
        name: A registered network, or the dotted path of a function like theirs: of pixels
            (a Keras tensor (N, H, W, channels), 0 to 1) and ``NetworkSettings``, to
            probabilities (N, C).
        picture_shape: (H, W, channels) of the pictures.
        settings: What its layers are built with.

    Returns:
        Model from (N, H, W, channels) uint8 to probabilities (N, C) float32.

    Raises:
        GraftError: If there is no such network, it needs colours that the pictures lack, or a
            function of one's own fails or gives something else than probabilities.
    """
    network = find_network(name)
    pictures = keras.Input(picture_shape, dtype="uint8", name="pixels")
    pixels = keras.layers.Rescaling(1 / 255, name="rescaling")(pictures)
    if network.channels == 1 and picture_shape[-1] == 3:
        pixels = keras.ops.image.rgb_to_grayscale(pixels)
    elif network.channels not in (None, picture_shape[-1]):
        raise GraftError(
            f"from_scratch.network: '{name}' needs pictures of {network.channels} channels; set "
            f"decoding.colour to rgb; got {picture_shape[-1]}"
        )
    size = network.image_size
    if size is not None and picture_shape[:2] != (size, size):
        pixels = keras.layers.Resizing(size, size, antialias=True, name="resizing")(pixels)
    if name in NETWORKS:
        return keras.Model(pictures, network.build(pixels, settings), name="classifier")
    return keras.Model(pictures, _build_own(name, network, pixels, settings), name="classifier")


def find_network(name: str) -> Network:
    """A registered network, or that of a dotted path.

    Raises:
        GraftError: If there is none.
    """
    if name in NETWORKS:
        return NETWORKS[name]
    if "." not in name:
        raise GraftError(
            f"from_scratch.network: allowed are none, {', '.join(NETWORKS)} or the dotted path of "
            f"a function, such as my_package.networks.build; got '{name}'"
        )
    return Network(load_by_path(name, "from_scratch.network"))


def _build_own(
    name: str, network: Network, pixels: keras.KerasTensor, settings: NetworkSettings
) -> keras.KerasTensor:
    try:
        probabilities = network.build(pixels, settings)
    except Exception as error:  # what a user wrote may fail in any way
        reason = " ".join(str(error).split())
        raise GraftError(
            "from_scratch.network: the function takes pixels (a Keras tensor) and NetworkSettings, "
            f"but failed ({type(error).__name__}: {reason}); got '{name}'"
        ) from error
    shape = getattr(probabilities, "shape", None)
    if not isinstance(probabilities, keras.KerasTensor) or shape != (None, settings.class_count):
        raise GraftError(
            f"from_scratch.network: '{name}' must give a Keras tensor of probabilities, of shape "
            f"(None, {settings.class_count}); got {shape or type(probabilities).__name__}"
        )
    return probabilities
