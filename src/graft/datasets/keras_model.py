"""Catalog type for Keras models."""

from __future__ import annotations

import json
import os
import zipfile
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from graft.datasets.local import LocalDataset
from graft.datasets.shared_models import share_model
from graft.errors import GraftError
from graft.quiet import import_tensorflow

if TYPE_CHECKING:
    import keras


class KerasModelDataset(LocalDataset["keras.Model", "keras.Model"]):
    """A ``.keras`` file.

    kedro-datasets' ``tensorflow.TensorFlowModelDataset`` does the same but imports TensorFlow
    where it is declared; this one imports it where a model is loaded or saved, so that the
    catalog can be listed and drawn in a second. Code inside the file is never executed
    (``safe_mode``). The same model is the same file: neither times nor addresses in
    memory are stored in it.

    Two loads give two networks, of which one may be trained and the other not. Only nodes that
    follow one another in a run are given the same object, as long as it is as it was in the file
    (:mod:`graft.datasets.shared_models`).

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
        import_tensorflow()
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
