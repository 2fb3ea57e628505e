"""Catalog type for Keras models."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from graft.classifier.model_file import read_model, write_model
from graft.datasets.atomic import LocalDataset

if TYPE_CHECKING:
    import keras


class KerasModelDataset(LocalDataset["keras.Model", "keras.Model"]):
    """A ``.keras`` file.

    kedro-datasets' ``tensorflow.TensorFlowModelDataset`` does the same but imports TensorFlow
    where it is declared; this one imports it where a model is loaded or saved, so that the
    catalog can be listed and drawn in a second. Code inside the file is never executed
    (``safe_mode``). The same model is the same file: neither times nor addresses in
    memory are stored in it.

    Making a network from its file takes a second, so stages that follow one another in a run
    are given the same object as long as it is as it was in the file
    (:mod:`graft.classifier.model_file`).

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
        return read_model(self._filepath, self._imports)

    def save(self, data: keras.Model) -> None:
        write_model(data, self._filepath)
