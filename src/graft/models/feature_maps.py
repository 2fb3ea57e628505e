"""The last feature map of a network: where in the picture it still knows what it saw."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import keras

from graft.models.graph_cuts import list_calls


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
