"""Weights of a network by the names of its layers, to be kept without the network."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import keras
import numpy as np

Weights = Mapping[str, np.ndarray]


def collect_weights(model: keras.Model) -> dict[str, np.ndarray]:
    """The weights of all layers: ``LAYER/0``, ``LAYER/1`` and so on."""
    return {
        f"{layer.name}/{number}": weight
        for layer in model.layers
        for number, weight in enumerate(layer.get_weights())
    }


def put_weights(model: keras.Model, weights: Weights) -> None:
    """Give every layer the weights that were kept under its name.

    Raises:
        LookupError: Names a layer that has none, or others in number or shape.
    """
    found = {layer: _find_own(layer, weights) for layer in model.layers}
    for layer, own in found.items():
        layer.set_weights(own)


def find_differing(
    model: keras.Model, weights: Weights, left_out: Collection[str] = ()
) -> list[str]:
    """Names of the layers whose weights are not those that were kept, to the bit.

    Args:
        model: The network.
        weights: Of :func:`collect_weights`, of it or of one that it is a part of.
        left_out: Names of layers that nobody asks about.

    Raises:
        LookupError: As of :func:`put_weights`.
    """
    return [
        layer.name
        for layer in model.layers
        if layer.name not in left_out
        and not all(map(np.array_equal, layer.get_weights(), _find_own(layer, weights)))
    ]


def _find_own(layer: keras.Layer, weights: Weights) -> list[np.ndarray]:
    shapes = [weight.shape for weight in layer.get_weights()]
    names = [f"{layer.name}/{number}" for number in range(len(shapes))]
    own = [weights[name] for name in names if name in weights]
    if [weight.shape for weight in own] != shapes or f"{layer.name}/{len(shapes)}" in weights:
        raise LookupError(layer.name)
    return own
