"""Catalog type for Keras models.

A stage may do with a network what it likes: train it, freeze layers, join it to another. So before
one is handed out again, all that would be saved of it is compared with what it was when it came
from its file: layers, settings, what is trainable, weights, states of random layers. Threads share
nothing: a network in use by one is never seen by another.
"""

from __future__ import annotations

import hashlib
import json
import os
import threading
import zipfile
from collections import OrderedDict
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from graft.datasets.atomic import LocalDataset
from graft.errors import GraftError

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


class KerasModelDataset(LocalDataset["keras.Model", "keras.Model"]):
    """A ``.keras`` file.

    kedro-datasets' ``tensorflow.TensorFlowModelDataset`` does the same but imports TensorFlow
    where it is declared; this one imports it where a model is loaded or saved, so that the
    catalog can be listed and drawn in a second. Code inside the file is never executed
    (``safe_mode``). The same model is the same file: neither times nor addresses in
    memory are stored in it.

    Making a network from its file takes a second, so stages that follow one another in a run
    are given the same object as long as it is as it was in the file
    (:mod:`graft.datasets.keras_model`).

    Args:
        filepath: The file.
        imports: Modules that register classes of the model that are not of Keras itself.
        metadata: Ignored by Kedro; kedro-viz reads it.
    """

    def __init__(
        self,
        *,
        filepath: str,
        imports: Sequence[str] = (),
        metadata: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(filepath=filepath, metadata=metadata)
        self._imports = imports

    def load(self) -> keras.Model:
        for module in self._imports:
            import_module(module)
        return share_model(self._filepath, self._read)

    def _read(self) -> keras.Model:
        import keras

        try:
            return keras.models.load_model(self._filepath, compile=False, safe_mode=True)
        except TypeError as error:
            # Keras puts the whole configuration of the model behind the first sentence.
            told, _, _ = str(error).partition(". ")
            if not told.startswith("Could not locate"):
                raise
            raise GraftError(
                "a class of the model in the file is not known; name the module that registers it "
                "(keras.saving.register_keras_serializable) under 'imports' of this catalog "
                f"entry; got '{told.removeprefix('Could not locate ')}' in '{self._filepath}'"
            ) from error

    def save(self, data: keras.Model) -> None:
        data.save(self._filepath)
        _remove_traces(self._filepath)


def _remove_traces(path: Path) -> None:
    """Write an archive of Keras once more, without what differs from process to process.

    These are the times of saving, and the numbers by which layers share an object: Keras takes
    its address. They are counted from 1 instead, in the order in which they come.
    """
    draft = path.with_name(f"{path.name}.plain")
    with zipfile.ZipFile(path) as archive, zipfile.ZipFile(draft, "w") as plain:
        for name in sorted(archive.namelist()):
            content = archive.read(name)
            if name == "metadata.json":
                facts = {**json.loads(content), "date_saved": ""}
                content = json.dumps(facts, sort_keys=True).encode()
            elif name == "config.json":
                content = json.dumps(_number_objects(json.loads(content), {})).encode()
            plain.writestr(zipfile.ZipInfo(name), content)
    os.replace(draft, path)


def _number_objects(config: Any, numbers: dict[int, int]) -> Any:
    if isinstance(config, list):
        return [_number_objects(part, numbers) for part in config]
    if not isinstance(config, dict):
        return config
    return {
        key: numbers.setdefault(part, len(numbers) + 1)
        if key == "shared_object_id"
        else _number_objects(part, numbers)
        for key, part in config.items()
    }
