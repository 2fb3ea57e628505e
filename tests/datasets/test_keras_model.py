"""Keras models as catalog entries."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from kedro.io import DatasetError

from graft.datasets import AtomicDataset, KerasModelDataset
from graft.models.backbones import build_backbone
from graft.models.heads import build_head
from graft.models.networks import NETWORKS, NetworkSettings, build_classifier


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


# The layers of `tunable` are parameters.
@pytest.mark.parametrize("name", [*sorted({*NETWORKS} - {"tunable"}), "small_cnn", "MobileNet"])
def test_what_was_read_is_written_as_the_file_it_came_from(tmp_path, name):
    # A run that goes on after a kill reads what an undisturbed one has in memory.
    if name in NETWORKS:
        model = build_classifier(name, (28, 28, 1), NetworkSettings(class_count=3))
    else:
        backbone = build_backbone(name, 32, "random", seed=0)
        values = backbone.output
        for layer in build_head(values.shape[-1], 3, dropout=0.2, weight_decay=1e-4, seed=0).layers:
            values = layer(values)
        model = keras.Model(backbone.input, values, name="classifier")
    places = [tmp_path / "first.keras", tmp_path / "second.keras"]
    first, second = (
        KerasModelDataset(filepath=str(place), imports=["graft.models.networks"])
        for place in places
    )
    first.save(model)
    second.save(first.load())
    assert places[0].read_bytes() == places[1].read_bytes()


def test_code_in_a_model_file_is_not_run(tmp_path):
    model = keras.Sequential([keras.Input((3,)), keras.layers.Lambda(lambda x: x + 1)])
    model.save(tmp_path / "model.keras")
    with pytest.raises(DatasetError, match="unsafe"):
        KerasModelDataset(filepath=str(tmp_path / "model.keras")).load()
