"""Files of Keras models: read without executing code, written without traces of when."""

from __future__ import annotations

import json
import os
import zipfile
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from graft.errors import GraftError

if TYPE_CHECKING:
    import keras

# Of Keras' classes, those of number types.
_POLICIES = {"DTypePolicy", "FloatDTypePolicy"}


def read_model(file: Path, imports: Sequence[str] = ()) -> keras.Model:
    """The network of a ``.keras`` file; no code in the file is executed (``safe_mode``).

    Args:
        file: The file.
        imports: Modules that register classes of the model that are not of Keras itself.

    Raises:
        GraftError: If a class of the model is not known.
    """
    for module in imports:
        import_module(module)
    import keras

    try:
        return keras.models.load_model(file, compile=False, safe_mode=True)
    except TypeError as error:
        # Keras puts the whole configuration of the model behind the first sentence.
        told, _, _ = str(error).partition(". ")
        if not told.startswith("Could not locate"):
            raise
        raise GraftError(
            "a class of the model in the file is not known; name the module that registers it "
            "(keras.saving.register_keras_serializable) under 'imports' of this catalog "
            f"entry; got '{told.removeprefix('Could not locate ')}' in '{file}'"
        ) from error


def write_model(model: keras.Model, file: Path) -> None:
    """Write a ``.keras`` file; the same model is the same file."""
    model.save(file)
    _remove_traces(file)


def _remove_traces(path: Path) -> None:
    """Write an archive of Keras once more, without what differs from process to process.

    These are the times of saving, and the numbers by which layers share an object: Keras takes
    its address. They are counted from 1 instead, in the order in which they come. That layers share
    a policy of number types, which Keras forgets when it reads the file, is not written at all: a
    network is the same file whether it was made just now or read.
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
    if config.get("class_name") in _POLICIES:
        config = {key: part for key, part in config.items() if key != "shared_object_id"}
    return {
        key: numbers.setdefault(part, len(numbers) + 1)
        if key == "shared_object_id"
        else _number_objects(part, numbers)
        for key, part in config.items()
    }
