"""Keras models as catalog entries."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from kedro.io import DatasetError

from graft.datasets import AtomicDataset, KerasModelDataset


@pytest.fixture
def model():
    return keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, activation="softmax")])


def predict(model):
    return keras.ops.convert_to_numpy(model(np.float32([[1, 2, 3]])))


def test_a_model_comes_back_as_it_was(tmp_path, model):
    dataset = KerasModelDataset(filepath=str(tmp_path / "model.keras"))
    assert not dataset.exists()
    dataset.save(model)
    assert dataset.exists()
    np.testing.assert_array_equal(predict(dataset.load()), predict(model))
    assert "model.keras" in str(dataset)


def test_a_model_is_loaded_from_an_atomic_file(tmp_path, model):
    dataset = AtomicDataset(
        filepath=tmp_path / "model.keras", dataset="graft.datasets.KerasModelDataset"
    )
    dataset.save(model)
    np.testing.assert_array_equal(predict(dataset.load()), predict(model))


def test_code_in_a_model_file_is_not_run(tmp_path):
    model = keras.Sequential([keras.Input((3,)), keras.layers.Lambda(lambda x: x + 1)])
    model.save(tmp_path / "model.keras")
    with pytest.raises(DatasetError, match="unsafe"):
        KerasModelDataset(filepath=str(tmp_path / "model.keras")).load()
