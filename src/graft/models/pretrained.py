"""Pretrained weights: from ImageNet, from a file, or from this package."""

from __future__ import annotations

import socket
import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import h5py
import keras
import numpy as np

from graft.errors import GraftError
from graft.progress import tell

_SHOWN = 3


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
    tell(
        "Weights", "of %d of %d layers by name; the other %d stay random",
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


_SECONDS_TO_CONNECT = 30.0


def load_imagenet(name: str, construct: Callable[[str], keras.Model]) -> keras.Model:
    """Build a network of ``keras.applications`` with weights from Keras' cache or the network.

    Raises:
        GraftError: If they are in neither; names the file, its folder and the way round.
    """
    patience = socket.getdefaulttimeout()
    # Keras downloads without a time limit: a network that swallows packets would hang the run.
    socket.setdefaulttimeout(_SECONDS_TO_CONNECT)
    try:
        return construct("imagenet")
    except Exception as error:
        damaged = _find_local(error, "weights_path") if isinstance(error, OSError) else None
        if damaged is not None:
            raise GraftError(
                f"the ImageNet weights of {name} are damaged "
                f"({_first_sentence(error)}); delete the file and run again to download it anew, "
                f"or name a weights file with --params weights=FILE; got '{damaged}'"
            ) from error
        target = _find_local(error, "download_target", function="get_file")
        if target is None:
            raise
        raise GraftError(
            f"the ImageNet weights of {name} are not here and cannot be downloaded "
            f"({str(error).rsplit('--', 1)[-1].strip()}); put the file '{target.name}' into "
            f"'{target.parent}', or name a weights file with --params weights=FILE "
            "(or weights=random to train without); got backbone.weights 'imagenet'"
        ) from error
    finally:
        socket.setdefaulttimeout(patience)


def load_weights_file(model: keras.Model, name: str, path: str, with_top: bool = False) -> None:
    """Load a weights file into a network that it was made for, all of it or not at all.

    Args:
        model: The network.
        name: Its name, for messages.
        path: A ``.weights.h5``, ``.h5`` or ``.npz`` file (weight path to array).
        with_top: Whether the network has its own head, for messages.

    Raises:
        GraftError: If the file is missing, is no weights file, or has other shapes.
    """
    location = Path(path).expanduser()
    if not location.is_file():
        raise GraftError(
            "backbone.weights must be 'imagenet', 'random', weights that come with this "
            f"backbone, or an existing weights file; got '{path}'"
        )
    with _one_line_errors(name, model, location, "with" if with_top else "without"):
        if location.suffix == ".npz":
            with np.load(location, allow_pickle=False) as archive:
                assign_weights(model, dict(archive))
        else:
            model.load_weights(location)


def assign_weights(model: keras.Model, weights: dict[str, np.ndarray]) -> None:
    """Set all weights of a model from arrays by path; names and shapes must match exactly.

    Raises:
        ValueError: If a weight is missing, unknown or of another shape.
    """
    expected = {weight.path: tuple(weight.shape) for weight in model.weights}
    given = {path: tuple(array.shape) for path, array in weights.items()}
    if expected != given:
        path = next(path for path in [*expected, *given] if expected.get(path) != given.get(path))
        raise ValueError(
            f"weight {path} must have shape {expected.get(path, 'none at all')}; "
            f"got {given.get(path, 'none')}"
        )
    for weight in model.weights:
        weight.assign(weights[weight.path])


def find_bundled_weights(name: str, weights: str) -> Path | None:
    """File of the weights that come with this package for a backbone; None if there are none."""
    path = Path(str(files("graft.models") / "weights" / f"{name}_{weights}.npz"))
    return path if path.is_file() else None


@contextmanager
def _one_line_errors(name: str, model: keras.Model, location: Path, top: str) -> Iterator[None]:
    with warnings.catch_warnings():
        # Keras warns a hundred times before it raises on the weights of another network.
        warnings.filterwarnings("ignore", message="Skipping nested container")
        try:
            yield
        except (ValueError, OSError, KeyError, TypeError, EOFError, BadZipFile) as error:
            raise GraftError(
                f"these are not the weights of {name} ({model.count_params():,} parameters "
                f"{top} its top): {_first_sentence(error)}; give a file saved from {name}, or "
                f"set weights to 'imagenet' or 'random'; got '{location}'"
            ) from error


def _first_sentence(error: BaseException) -> str:
    """The gist: Keras goes on to list every layer that does not fit."""
    return " ".join(str(error).split()).split(". ")[0]


def _find_local(error: BaseException, variable: str, function: str = "") -> Path | None:
    """A path in a local variable of a function that failed, if there is one.

    Only Keras' own functions know the file that they were about to write or read: its name in
    the cache is not always that of the URL (``nasnet_mobile_no_top.h5`` is
    ``NASNet-mobile-no-top.h5`` there).
    """
    for frame, _ in traceback.walk_tb(error.__traceback__):
        if variable in frame.f_locals and function in ("", frame.f_code.co_name):
            return Path(str(frame.f_locals[variable]))
    return None
