"""Downloading the pictures that come with Keras, or saying how to get them otherwise."""

from __future__ import annotations

import importlib
import pickle
import socket
import traceback
import zlib
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

from graft.errors import GraftError

_SECONDS_TO_CONNECT = 30.0
_DAMAGE = (ValueError, KeyError, OSError, EOFError, zlib.error, BadZipFile, pickle.UnpicklingError)

# Names of the classes in the order of their numbers; None if numbers are all that there is.
CLASS_NAMES: dict[str, list[str] | None] = {
    "mnist": None,
    # H. Xiao, K. Rasul, R. Vollgraf, "Fashion-MNIST", 2017.
    "fashion_mnist": [
        "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat",
        "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
    ],
    # A. Krizhevsky, "Learning Multiple Layers of Features from Tiny Images", 2009.
    "cifar10": [
        "airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck",
    ],
    "cifar100": None,
}  # fmt: skip


def download_arrays(name: str) -> list[tuple[str, np.ndarray, np.ndarray]]:
    """Load a data set of ``keras.datasets`` from Keras' cache or the network.

    Returns:
        For ``train`` and ``test``: that name, the pixels (N, H, W) or (N, H, W, 3), uint8, and
        the labels (N,), whole numbers.

    Raises:
        GraftError: If it is in neither, or damaged; names the file, its folder and its address.
    """
    library = importlib.import_module(f"keras.datasets.{name}")
    patience = socket.getdefaulttimeout()
    # Keras downloads without a time limit: a network that swallows packets would hang the run.
    socket.setdefaulttimeout(_SECONDS_TO_CONNECT)
    try:
        train, test = library.load_data()
        return [_check("train", *train), _check("test", *test)]
    except Exception as error:
        download = _find_locals(error, "get_file")
        if "download_target" in download:
            target = Path(str(download["download_target"]))
            raise GraftError(
                f"the pictures of {name} are not here and cannot be downloaded ({_gist(error)}); "
                f"fetch '{download.get('origin')}' elsewhere and put it into '{target.parent}' "
                f"under the name '{target.name}', then run again; got name '{name}'"
            ) from error
        if not isinstance(error, _DAMAGE):
            raise
        cached = _find_locals(error, "load_data")
        files = cached.get("paths") or [cached.get("path", "~/.keras/datasets")]
        raise GraftError(
            f"the pictures of {name} in Keras' cache are damaged ({_gist(error)}); delete them and "
            f"run again to download them anew; got {', '.join(map(str, files))}"
        ) from error
    finally:
        socket.setdefaulttimeout(patience)


def _check(part: str, pixels: np.ndarray, labels: np.ndarray) -> tuple[str, np.ndarray, np.ndarray]:
    if pixels.ndim == 4 and pixels.shape[1] == 3:  # where Keras is set to channels_first
        pixels = np.moveaxis(pixels, 1, -1)
    labels = labels.reshape(-1)
    colours = pixels.shape[3:]
    if pixels.dtype != np.uint8 or pixels.ndim not in (3, 4) or colours not in ((), (3,)):
        raise ValueError(f"no 8-bit pictures but {pixels.dtype} of shape {pixels.shape}")
    if len(labels) != len(pixels) or not np.issubdtype(labels.dtype, np.integer):
        raise ValueError(f"{len(pixels):,} pictures and {len(labels):,} labels, {labels.dtype}")
    return part, pixels, labels


def _gist(error: BaseException) -> str:
    return " ".join(str(error).rsplit(" -- ", 1)[-1].split())[:200] or type(error).__name__


def _find_locals(error: BaseException, function: str) -> dict[str, Any]:
    """Local variables of a function of Keras that failed: only it knows where its files lie."""
    for frame, _ in traceback.walk_tb(error.__traceback__):
        in_keras = str(frame.f_globals.get("__name__")).startswith("keras.")
        if in_keras and frame.f_code.co_name == function:
            return dict(frame.f_locals)
    return {}
