"""Backbones: networks that turn a picture into a feature vector, by name.

Every backbone takes pictures as they are decoded, (H, W, 3) uint8, does its own preprocessing
inside the graph and gives one vector a picture. The graph is flat and of Keras' own layers, so
a saved model opens anywhere Keras is, and its layers can be reached by name.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable
from difflib import get_close_matches

import keras

from graft.errors import GraftError
from graft.models.pretrained import find_bundled_weights, load_imagenet, load_weights_file
from graft.models.small_cnn import build_small_cnn
from graft.models.weights_by_name import load_weights_by_name

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


def _build_application(name: str, image_size: int, weights: str) -> keras.Model:
    pictures = keras.Input((image_size, image_size, 3), dtype="uint8", name="picture")
    application = _find_applications()[name]
    # The module that defines a network also defines the preprocessing it was trained with.
    preprocess = sys.modules[application.__module__].preprocess_input
    pixels = preprocess(keras.ops.cast(pictures, "float32"))

    def construct(weights: str | None) -> keras.Model:
        return application(
            include_top=False,
            weights=weights,
            input_tensor=pixels,
            input_shape=(image_size, image_size, 3),
            pooling="avg",
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
        load_weights_file(network, name, weights)
    # Given a tensor, Keras makes a model of a list of one input; callers have an array.
    return keras.Model(pictures, network.output, name=network.name)


def _load_own_weights(backbone: keras.Model, name: str, weights: str) -> None:
    if weights == "random":
        return
    if weights == "imagenet":
        raise GraftError(
            f"there are no ImageNet weights of {name}; set backbone.weights to "
            "'printed_letters', 'random' or a file; got 'imagenet'"
        )
    load_weights_file(backbone, name, str(find_bundled_weights(name, weights) or weights))
