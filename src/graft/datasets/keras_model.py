"""Catalog type for Keras models."""

from __future__ import annotations

from typing import TYPE_CHECKING

from graft.datasets.local import LocalDataset
from graft.quiet import import_tensorflow

if TYPE_CHECKING:
    import keras


class KerasModelDataset(LocalDataset["keras.Model", "keras.Model"]):
    """A ``.keras`` file.

    kedro-datasets' ``tensorflow.TensorFlowModelDataset`` does the same but imports TensorFlow
    where it is declared; this one imports it where a model is loaded or saved, so that the
    catalog can be listed and drawn in a second. Code inside the file is never executed
    (``safe_mode``).
    """

    def load(self) -> keras.Model:
        import_tensorflow()
        import keras

        return keras.models.load_model(self._filepath, compile=False, safe_mode=True)

    def save(self, data: keras.Model) -> None:
        data.save(self._filepath)
