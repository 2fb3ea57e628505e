"""From a network to a classifier of pictures, with the preprocessing inside."""

from __future__ import annotations

import keras

from graft.errors import GraftError
from graft.models.dotted_paths import load_by_path
from graft.models.networks.registry import NETWORKS, Network, NetworkSettings


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
            f"training.network: '{name}' needs pictures of {network.channels} channels; set "
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
            f"training.network: allowed are none, {', '.join(NETWORKS)} or the dotted path of a "
            f"function, such as my_package.networks.build; got '{name}'"
        )
    return Network(load_by_path(name, "training.network"))


def _build_own(
    name: str, network: Network, pixels: keras.KerasTensor, settings: NetworkSettings
) -> keras.KerasTensor:
    try:
        probabilities = network.build(pixels, settings)
    except Exception as error:  # what a user wrote may fail in any way
        reason = " ".join(str(error).split())
        raise GraftError(
            "training.network: the function takes pixels (a Keras tensor) and NetworkSettings, "
            f"but failed ({type(error).__name__}: {reason}); got '{name}'"
        ) from error
    shape = getattr(probabilities, "shape", None)
    if not isinstance(probabilities, keras.KerasTensor) or shape != (None, settings.class_count):
        raise GraftError(
            f"training.network: '{name}' must give a Keras tensor of probabilities, of shape "
            f"(None, {settings.class_count}); got {shape or type(probabilities).__name__}"
        )
    return probabilities


def build_undecided(picture_shape: tuple[int, ...], class_count: int) -> keras.Model:
    """A classifier without weights that finds all classes equally likely."""
    pictures = keras.Input(picture_shape, dtype="uint8", name="pixels")
    pixels = keras.layers.Rescaling(0.0, name="rescaling")(pictures)
    zeros = keras.layers.GlobalAveragePooling2D(name="average")(pixels)[:, :1]
    zeros = keras.layers.Flatten(name="flat")(zeros)
    zeros = keras.layers.RepeatVector(class_count, name="repeat")(zeros)
    logits = keras.layers.Flatten(name="logits")(zeros)
    return keras.Model(
        pictures, keras.layers.Softmax(name="probabilities")(logits), name="classifier"
    )
