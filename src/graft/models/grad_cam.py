"""Grad-CAM: which parts of a picture speak for a class.

Source: Selvaraju et al., "Grad-CAM: Visual Explanations from Deep Networks via Gradient-based
Localization", ICCV 2017.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from graft.backends.backend import load_backend
from graft.models.blocks import list_calls


@dataclass(frozen=True)
class FeatureMap:
    """A network with its last feature map led out.

    Attributes:
        network: From pictures to the map (N, h, w, D) and the probabilities (N, C); it shares
            all layers with the classifier.
        layer: Name of the layer that gives the map.
        shape: (h, w, D).
    """

    network: keras.Model
    layer: str
    shape: tuple[int, int, int]


def find_last_map(classifier: keras.Model) -> FeatureMap | None:
    """Find the last feature map from the graph, in networks inside the network too.

    It is the last tensor of the size of what the last layer with weights and a map gives: behind
    the activation and the normalisation that follow a convolution, before pooling makes it
    coarser. Pictures that were only scaled are no feature map.

    Args:
        classifier: From pictures (N, H, W, channels) to probabilities (N, C).

    Returns:
        None if there is no such map: in a network without convolutions, or in one whose inside
        is no graph of Keras.
    """
    flat = unfold(classifier)
    tensors = [
        (node.operation, tensor)
        for node in list_calls(flat)
        for tensor in node.output_tensors
        if _is_map(tensor.shape)
    ]
    learnt = [place for place, (layer, _) in enumerate(tensors) if getattr(layer, "weights", None)]
    if not learnt:
        return None
    size = tensors[learnt[-1]][1].shape[1:3]
    layer, tensor = next(
        (layer, tensor) for layer, tensor in reversed(tensors) if tensor.shape[1:3] == size
    )
    network = keras.Model(flat.input, [tensor, flat.output], name="explained")
    return FeatureMap(network, layer.name, tuple(tensor.shape[1:]))


def unfold(network: keras.Model) -> keras.Model:
    """The same network, with the same layers, without networks inside it where that goes.

    A network that is a class of its own is called once with symbols for its pixels, as Keras
    itself does. Where its ``call`` is not made for that, it stays as it is.
    """
    while any(isinstance(layer, keras.Model) for layer in network.layers):
        try:
            network = keras.models.clone_model(
                network, clone_function=lambda layer: layer, call_function=_call_inside
            )
        except Exception:  # what a user wrote may fail in any way
            return network
    return network


def _call_inside(layer: Any, *inputs: Any, **options: Any) -> Any:
    """Call the layers of a network instead of the network."""
    if isinstance(layer, keras.Sequential):
        (outputs,) = inputs
        for part in layer.layers:
            outputs = part(outputs)
        return outputs
    if hasattr(layer, "_run_through_graph"):
        return layer._run_through_graph(inputs)
    return layer.call(*inputs, **options) if isinstance(layer, keras.Model) else layer(
        *inputs, **options
    )  # fmt: skip


def _is_map(shape: tuple[int | None, ...]) -> bool:
    """Whether a tensor has places in two directions, and more than one."""
    if len(shape) != 4 or None in shape[1:3]:
        return False
    height, width = shape[1:3]
    return int(height or 0) * int(width or 0) > 1


# Below it float32 has no inverse.
_SMALLEST = 1e-37


def score_class(probabilities: Any, classes: Any) -> Any:
    """How much a network speaks for a class.

    The score is the one before the softmax, which is the logarithm of the probability up to a
    number that all classes share; so the mean of all classes is taken off. A saturated
    probability does no harm to it, nor does a head with one output for two classes.

    Args:
        probabilities: (n, C).
        classes: For which class, int (n,).

    Returns:
        Scores (n,).
    """
    ops = keras.ops
    scores = ops.log(ops.maximum(ops.cast(probabilities, "float32"), _SMALLEST))
    scores -= ops.mean(scores, axis=1, keepdims=True)
    # Not picked by their number: the gradient of that is none of ONNX's operations.
    return ops.sum(scores * ops.one_hot(classes, scores.shape[1]), axis=1)


def weigh_maps(maps: Any, gradients: Any) -> Any:
    """Grad-CAM of the gradient of a class' score by a feature map.

    The channels of the map are summed, each weighted by its mean gradient, and what is left below
    0 speaks against the class and is cut.

    Args:
        maps: (n, h, w, D).
        gradients: Of the same shape.

    Returns:
        Heat (n, h, w), float32, 0 to 1; see :func:`compile_heat_maps`.
    """
    ops = keras.ops
    weights = ops.mean(gradients, axis=(1, 2), keepdims=True)
    heat = ops.relu(ops.sum(ops.cast(weights * maps, "float32"), axis=3))
    return ops.divide_no_nan(heat, ops.max(heat, axis=(1, 2), keepdims=True))


def compile_heat_maps(
    feature_map: FeatureMap, batch_size: int
) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    """Compile Grad-CAM for batches of one shape.

    Args:
        feature_map: As of :func:`~graft.models.grad_cam.find_last_map`.
        batch_size: Pictures a pass; short batches are filled up.

    Returns:
        Function of pictures (n, H, W, channels) uint8 and class indices int (n,), n at most
        ``batch_size``, to heat (n, h, w), float32, 0 to 1. The hottest place of a picture has
        1; all is 0 where nothing speaks for the class.
    """
    network = feature_map.network
    pixels = ((batch_size, *network.input_shape[1:]), network.inputs[0].dtype)
    measure = load_backend().compile_gradient(
        network, score_class, weigh_maps, [pixels, ((batch_size,), "int64")]
    )

    def run(pictures: np.ndarray, classes: np.ndarray) -> np.ndarray:
        count = len(pictures)
        filled = np.zeros((batch_size, *pictures.shape[1:]), pictures.dtype)
        filled[:count] = pictures
        asked = np.zeros(batch_size, np.int64)
        asked[:count] = classes
        return measure(filled, asked)[:count]

    return run


def make_heat_maps(
    feature_map: FeatureMap, pictures: np.ndarray, classes: np.ndarray, batch_size: int = 16
) -> np.ndarray:
    """Heat (n, h, w), uint8, 0 to 255, of pictures; see :func:`compile_heat_maps`.

    Args:
        feature_map: As there.
        pictures: (n, H, W, channels), uint8.
        classes: For which class, int (n,).
        batch_size: Pictures a pass.
    """
    height, width, _ = feature_map.shape
    heat = np.zeros((len(pictures), height, width), np.uint8)
    measure = compile_heat_maps(feature_map, batch_size)
    for start in range(0, len(pictures), batch_size):
        rows = slice(start, start + batch_size)
        heat[rows] = np.rint(255 * measure(pictures[rows], classes[rows]))
    return heat
