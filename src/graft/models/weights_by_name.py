"""Weights of one network for the layers of the same name in another."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np

from graft.errors import GraftError

_SHOWN = 3
logger = logging.getLogger(__name__)


def load_weights_by_name(model: keras.Model, name: str, path: str) -> int:
    """Give layers the weights that a file holds under their names; the others stay random.

    Args:
        model: The network.
        name: Its name, for messages.
        path: A ``.weights.h5`` file of Keras 3, an ``.h5`` weights file of earlier ones, or an
            ``.npz`` file of weight path to array.

    Returns:
        Number of layers that got their weights.

    Raises:
        GraftError: If the file cannot be read, no layer has a name in it, or one that has is of
            another shape.
    """
    location = Path(path).expanduser()
    if not location.is_file():
        raise GraftError(
            "with backbone.match 'by_name', backbone.weights must be an existing weights file; "
            f"got '{path}'"
        )
    try:
        given = _read_layers(location)
    except (OSError, ValueError, KeyError, EOFError) as error:
        raise GraftError(
            "this is no weights file that can be read by the names of layers (.weights.h5, .h5 "
            f"and .npz are): {' '.join(str(error).split())[:100]}; got '{path}'"
        ) from error
    layers = [layer for layer in model.layers if layer.weights]
    matching = [layer for layer in layers if layer.name in given]
    if not matching:
        raise GraftError(
            f"no layer of {name} has a name of this file's layers ({_shorten(list(given))}); its "
            f"own are named {_shorten([layer.name for layer in layers])}; got '{path}'"
        )
    for layer in matching:
        _check_shapes(layer, given[layer.name], path)
    for layer in matching:
        layer.set_weights(given[layer.name])
    logger.info(
        "Weights      of %d of %d layers by name; the other %d stay random",
        len(matching), len(layers), len(layers) - len(matching),
    )  # fmt: skip
    return len(matching)


def _check_shapes(layer: keras.Layer, arrays: list[np.ndarray], path: str) -> None:
    expected = [tuple(weight.shape) for weight in layer.weights]
    found = [tuple(array.shape) for array in arrays]
    if expected != found:
        raise GraftError(
            f"the layer {layer.name} has another shape in this file; it needs {expected}, the file "
            f"has {found}; rename one of the two, or take weights of this network; got '{path}'"
        )


def _read_layers(location: Path) -> dict[str, list[np.ndarray]]:
    """Name of every layer in a file to its weights, in Keras' order."""
    if location.suffix == ".npz":
        layers: dict[str, list[np.ndarray]] = {}
        with np.load(location, allow_pickle=False) as archive:
            for key in archive:
                layers.setdefault(key.split("/")[0], []).append(archive[key])
        return layers
    with h5py.File(location, "r") as file:
        return dict(_read_legacy(file) if "layer_names" in file.attrs else _read_current(file))


def _read_current(file: Any) -> Iterator[tuple[str, list[np.ndarray]]]:
    """Keras 3 keeps each layer's weights in a group ``vars``, with the layer's name beside it."""
    groups: list[Any] = []
    file.visititems(lambda _, item: groups.append(item) if "name" in item.attrs else None)
    for group in groups:
        arrays = [np.asarray(group[key]) for key in sorted(group, key=int)]
        if arrays:
            yield str(group.attrs["name"]), arrays


def _read_legacy(file: Any) -> Iterator[tuple[str, list[np.ndarray]]]:
    for name in file.attrs["layer_names"]:
        layer = _decode(name)
        arrays = [
            np.asarray(file[layer][_decode(key)]) for key in file[layer].attrs["weight_names"]
        ]
        if arrays:
            yield layer, arrays


def _decode(name: Any) -> str:
    return name.decode() if isinstance(name, bytes) else str(name)


def _shorten(names: list[str]) -> str:
    return ", ".join(names[:_SHOWN]) + (", …" if len(names) > _SHOWN else "")
