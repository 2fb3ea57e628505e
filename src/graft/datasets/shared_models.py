"""Loaded networks, handed on from stage to stage while nobody has changed them.

A stage may do with a network what it likes: train it, freeze layers, join it to another. So before
one is handed out again, all that would be saved of it is compared with what it was when it came
from its file: layers, settings, what is trainable, weights, states of random layers. Threads share
nothing: a network in use by one is never seen by another.
"""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import keras

_KEPT = 3


class _Shelf(threading.local):
    """Networks of one thread with their states, by file and its content, the latest last."""

    def __init__(self) -> None:
        self.models: OrderedDict[tuple[Path, str], tuple[keras.Model, str]] = OrderedDict()


_shelf = _Shelf()


def share_model(file: Path, read: Callable[[], keras.Model]) -> keras.Model:
    """The network of a file: one that was loaded before, if it is still as it was then.

    Args:
        file: What it is known by: its name and its content, never a time.
        read: Makes the network from the file.
    """
    with file.open("rb") as content:
        key = file, hashlib.file_digest(content, "sha256").hexdigest()
    model, state = _shelf.models.pop(key, (None, ""))
    if model is None or describe_state(model) != state:
        model = read()
        state = describe_state(model)
    _shelf.models[key] = model, state
    while len(_shelf.models) > _KEPT:
        _shelf.models.popitem(last=False)
    return model


def describe_state(model: keras.Model) -> str:
    """SHA-256 of layers, settings, weights and states of random layers."""
    digest = hashlib.sha256(model.to_json().encode())
    for variable in model.variables:
        digest.update(f"{variable.path} {variable.dtype} {variable.trainable} ".encode())
        digest.update(np.ascontiguousarray(variable).data)
    return digest.hexdigest()
