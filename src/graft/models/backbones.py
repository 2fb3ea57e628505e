"""Backbones: networks that turn a picture into a feature vector, by name.

Three VGG blocks (Simonyan and Zisserman, 2015) with batch normalisation (Ioffe and Szegedy, 2015).
The last map keeps a 2x2 layout instead of being averaged to one point: at this size *where* a
stroke lies tells a 6 from a 9.

    layer                      output, 8x8 input   weights
    pixels                     8 x 8 x 3                 0
    rescaling to 0..1          8 x 8 x 3                 0
    block1_conv1, _bn1, _relu1 8 x 8 x 32              992
    block1_conv2, _bn2, _relu2 8 x 8 x 48           14,016
    block1_pool                4 x 4 x 48                0
    block2_conv1, _bn1, _relu1 4 x 4 x 64           27,904
    block2_conv2, _bn2, _relu2 4 x 4 x 96           55,680
    block2_pool                2 x 2 x 96                0
    block3_conv1, _bn1, _relu1 2 x 2 x 96           83,328
    features                   384                       0
                                                   -------
                                                   181,920

A larger picture gives a larger last map; `block3_pool` then averages it to 2x2. The weights and
the 384 features therefore have the same shapes at every picture size.

Every backbone takes pictures as they are decoded, (H, W, 3) uint8, does its own preprocessing
inside the graph and gives one vector a picture. The graph is flat and of Keras' own layers, so
a saved model opens anywhere Keras is, and its layers can be reached by name.
"""

from __future__ import annotations

import inspect
import json
import sys
from collections import Counter
from collections.abc import Callable
from difflib import get_close_matches
from pathlib import Path

import keras
import numpy as np

from graft.errors import GraftError
from graft.models.pretrained import (
    find_bundled_weights,
    load_imagenet,
    load_weights_by_name,
    load_weights_file,
)

SMALLEST_IMAGE_SIZE = 8
_FILTERS = ((32, 48), (64, 96), (96,))
_MAP_SIZE = 2


def build_small_cnn(image_size: int, seed: int) -> keras.Model:
    """Build the backbone with random weights.

    Args:
        image_size: height and width of the pictures in pixels, at least 8.
        seed: seed of the initial weights (He et al., 2015).

    Returns:
        A functional model: uint8 pictures (N, image_size, image_size, 3), 0..255, in; float32
        features (N, 384), none below 0, out. It holds built-in layers only.

    Raises:
        GraftError: the picture is too small for two halvings and a 2x2 map.
    """
    if image_size < SMALLEST_IMAGE_SIZE:
        raise GraftError(
            f"The small CNN takes pictures of at least {SMALLEST_IMAGE_SIZE} pixels a side. "
            f"Raise `image_size`. Received: {image_size}"
        )
    pictures = keras.Input(shape=(image_size, image_size, 3), dtype="uint8", name="pixels")
    x = keras.layers.Rescaling(1 / 255, name="rescaling")(pictures)
    for block, filters in enumerate(_FILTERS, start=1):
        for position, channels in enumerate(filters, start=1):
            # One seed for all layers would draw the same numbers again in each of them.
            layer_seed = 100 * seed + 10 * block + position
            x = _convolve(x, channels, f"block{block}", position, layer_seed)
        if block < len(_FILTERS):
            x = keras.layers.MaxPooling2D(2, name=f"block{block}_pool")(x)
    x = _reduce_to_small_map(x, name=f"block{len(_FILTERS)}_pool")
    features = keras.layers.Flatten(name="features")(x)
    return keras.Model(pictures, features, name="small_cnn")


def collect_small_cnn_weights(model: keras.Model) -> dict[str, np.ndarray]:
    """Copy the weights: path, as in "block1_conv1/kernel", to a float32 array."""
    return {weight.path: keras.ops.convert_to_numpy(weight.value) for weight in model.weights}


def _convolve(
    x: keras.KerasTensor, channels: int, block: str, position: int, seed: int
) -> keras.KerasTensor:
    x = keras.layers.Conv2D(
        channels,
        3,
        padding="same",
        use_bias=False,
        kernel_initializer=keras.initializers.HeNormal(seed=seed),
        name=f"{block}_conv{position}",
    )(x)
    x = keras.layers.BatchNormalization(name=f"{block}_bn{position}")(x)
    return keras.layers.Activation("relu", name=f"{block}_relu{position}")(x)


def _reduce_to_small_map(x: keras.KerasTensor, name: str) -> keras.KerasTensor:
    """Average a square map down to 2x2; the two windows a side overlap by one if it is odd."""
    size = x.shape[1]
    if size == _MAP_SIZE:
        return x
    stride = size // _MAP_SIZE
    return keras.layers.AveragePooling2D(size - stride, strides=stride, name=name)(x)


BackboneBuilder = Callable[[int, int], keras.Model]
_OWN_BACKBONES: dict[str, BackboneBuilder] = {}


def register_backbone(name: str) -> Callable[[BackboneBuilder], BackboneBuilder]:
    """Add a backbone under a name: a function of ``image_size`` and ``seed``, untrained."""

    def register(build: BackboneBuilder) -> BackboneBuilder:
        _OWN_BACKBONES[name] = build
        return build

    return register


register_backbone("small_cnn")(build_small_cnn)


def list_backbones() -> list[str]:
    """Names of all backbones: the project's own and all of ``keras.applications``."""
    return [*_OWN_BACKBONES, *_find_applications()]


def build_backbone(
    name: str, image_size: int, weights: str, seed: int, match: str = "exact"
) -> keras.Model:
    """Build a backbone with its weights.

    Args:
        name: A name from :func:`list_backbones`, such as ``"MobileNetV2"``.
        image_size: Side of the square pictures, in pixels.
        weights: ``"imagenet"``, ``"random"``, the name of weights that come with this package
            (``"printed_letters"``), or the path of a weights file of this very network.
        seed: Seed of random weights.
        match: ``"exact"``, or ``"by_name"``: the file may be of another network, and layers whose
            names it has get their weights from it.

    Returns:
        Model from (N, H, W, 3) uint8 to (N, D) float32, not trainable.

    Raises:
        GraftError: If the name is unknown, the size too small for the network, or the weights
            are missing or of another network.

    Examples:
        >>> build_backbone("small_cnn", 8, "printed_letters", seed=0).input_shape
        (None, 8, 8, 3)
    """
    source = "random" if match == "by_name" else weights
    if name in _OWN_BACKBONES:
        backbone = _OWN_BACKBONES[name](image_size, seed)
        _load_own_weights(backbone, name, source)
    elif name in _find_applications():
        keras.utils.set_random_seed(seed)
        backbone = _build_application(name, image_size, source)
    else:
        close = get_close_matches(name, list_backbones(), n=3, cutoff=0.4)
        raise GraftError(
            f"unknown backbone; did you mean {' or '.join(close) or 'MobileNetV2'}? "
            f"All of keras.applications and {', '.join(_OWN_BACKBONES)} are allowed for "
            f"backbone.name; got '{name}'"
        )
    if match == "by_name":
        load_weights_by_name(backbone, name, weights)
    backbone.trainable = False
    return backbone


def _find_applications() -> dict[str, Callable[..., keras.Model]]:
    """Every network of ``keras.applications``, by name."""
    return {
        name: construct
        for name, construct in vars(keras.applications).items()
        if inspect.isfunction(construct)
    }


def _build_application(
    name: str, image_size: int, weights: str, with_top: bool = False
) -> keras.Model:
    pictures = keras.Input((image_size, image_size, 3), dtype="uint8", name="picture")
    application = _find_applications()[name]
    # The module that defines a network also defines the preprocessing it was trained with.
    preprocess = sys.modules[application.__module__].preprocess_input
    pixels = preprocess(keras.ops.cast(pictures, "float32"))

    def construct(weights: str | None) -> keras.Model:
        return application(
            include_top=with_top,
            weights=weights,
            input_tensor=pixels,
            input_shape=(image_size, image_size, 3),
            pooling=None if with_top else "avg",
        )

    try:
        network = load_imagenet(name, construct) if weights == "imagenet" else construct(None)
    except GraftError:
        raise
    except ValueError as error:
        raise GraftError(
            f"{name} cannot be built for pictures of {image_size}×{image_size} pixels "
            f"({str(error).splitlines()[0]}); set image_size to what the network allows"
        ) from error
    if weights not in ("imagenet", "random"):
        load_weights_file(network, name, weights, with_top)
    # Given a tensor, Keras makes a model of a list of one input; callers have an array.
    return keras.Model(pictures, network.output, name=network.name)


def build_imagenet_classifier(name: str, image_size: int, weights: str) -> keras.Model:
    """Build a network of ``keras.applications`` with its own head: the 1,000 classes of ImageNet.

    Args:
        name: Such as ``"MobileNetV2"``.
        image_size: Side of the square pictures, in pixels; most networks take one size only.
        weights: ``"imagenet"``, or a weights file of the whole network.

    Returns:
        Model from (N, H, W, 3) uint8 to probabilities (N, 1000) float32.

    Raises:
        GraftError: If the name is unknown, the size is not allowed, or the weights are missing or
            of another network.
    """
    if name not in _find_applications():
        close = get_close_matches(name, _find_applications(), n=3, cutoff=0.4)
        raise GraftError(
            "a network with the classes of ImageNet is one of keras.applications; did you mean "
            f"{' or '.join(close) or 'MobileNetV2'}? got '{name}'"
        )
    return _build_application(name, image_size, weights, with_top=True)


def read_imagenet_classes(file: str | None) -> list[str]:
    """Names of the 1,000 classes of ImageNet, each once, in the order of the probabilities.

    Args:
        file: Keras' ``imagenet_class_index.json``; None takes the one that Keras downloads.

    Raises:
        GraftError: If it cannot be read, is no class index, or cannot be downloaded.
    """
    try:
        if file is None:
            rows = keras.applications.imagenet_utils.decode_predictions(np.eye(1000), top=1)
            pairs = [row[0][:2] for row in rows]
        else:
            index = json.loads(Path(file).expanduser().read_text(encoding="utf-8"))
            pairs = [tuple(index[str(number)]) for number in range(1000)]
        counts = Counter(name for _, name in pairs)
    except Exception as error:
        raise GraftError(
            "the names of the classes of ImageNet are in Keras' imagenet_class_index.json, which "
            f"cannot be {'read' if file else 'downloaded'} ({_tell_briefly(error)}); name the "
            f"file with --params prediction.imagenet.class_index=FILE; got {file or 'none'}"
        ) from error
    # Two pairs of classes share a name: a bird and a machine are both called crane.
    return [f"{name} ({synset})" if counts[name] > 1 else name for synset, name in pairs]


def _tell_briefly(error: BaseException) -> str:
    return " ".join(str(error).split())[:100] or type(error).__name__


def _load_own_weights(backbone: keras.Model, name: str, weights: str) -> None:
    if weights == "random":
        return
    if weights == "imagenet":
        raise GraftError(
            f"there are no ImageNet weights of {name}; set backbone.weights to "
            "'printed_letters', 'random' or a file; got 'imagenet'"
        )
    load_weights_file(backbone, name, str(find_bundled_weights(name, weights) or weights))
