"""Networks that stages share: the same object while it is as its file says, never otherwise."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import keras
import numpy as np
import pytest

from graft.datasets import KerasModelDataset
from graft.models.backbones import build_backbone
from graft.models.freezing import cut_classifier
from graft.models.heads import build_head
from graft.models.inference import compile_forward
from graft.training.devices import seed_everything


@pytest.fixture
def dataset(tmp_path: Path) -> KerasModelDataset:
    seed_everything(0)
    dataset = KerasModelDataset(filepath=str(tmp_path / "model.keras"))
    dataset.save(build_backbone("small_cnn", 8, "printed_letters", seed=0))
    return dataset


def test_a_network_that_nobody_changed_is_the_same_object(dataset) -> None:
    model = dataset.load()
    compile_forward(model, 4)(np.zeros((4, 8, 8, 3), np.uint8))
    assert dataset.load() is model


def train(model: keras.Model) -> None:
    head = build_head(model.output_shape[-1], 2, dropout=0.2, weight_decay=0.0, seed=0)
    cut_classifier(model, head, "block3")


def change_a_weight(model: keras.Model) -> None:
    model.weights[-1].assign(model.weights[-1] + 1e-6)


def freeze(model: keras.Model) -> None:
    model.layers[-2].trainable = not model.layers[-2].trainable


def compile_it(model: keras.Model) -> None:
    model.compile("adam", "mse")


@pytest.mark.parametrize("change", [train, change_a_weight, freeze, compile_it])
def test_a_network_that_a_stage_has_changed_is_read_anew(dataset, change, tmp_path) -> None:
    model = dataset.load()
    before = [np.array(weight) for weight in model.weights]
    change(model)
    again = dataset.load()
    assert again is not model
    for mine, other in zip(again.weights, before, strict=True):
        np.testing.assert_array_equal(mine, other)
    assert not again.compiled


def test_what_dropout_has_drawn_makes_it_another_network(tmp_path) -> None:
    dataset = KerasModelDataset(filepath=str(tmp_path / "head.keras"))
    dataset.save(build_head(4, 2, dropout=0.5, weight_decay=0.0, seed=0))
    head = dataset.load()
    head(np.ones((2, 4), np.float32), training=True)
    assert dataset.load() is not head


def test_another_content_under_the_same_name_is_read(dataset) -> None:
    model = dataset.load()
    dataset.save(build_backbone("small_cnn", 8, "random", seed=1))
    assert dataset.load() is not model


def test_a_network_joined_to_another_is_saved_as_if_it_were_new(dataset, tmp_path) -> None:
    def join_and_save(name: str, model: keras.Model) -> bytes:
        head = build_head(model.output_shape[-1], 2, dropout=0.2, weight_decay=0.0, seed=0)
        probabilities = model.output
        for layer in head.layers:
            probabilities = layer(probabilities)
        file = KerasModelDataset(filepath=str(tmp_path / name))
        file.save(keras.Model(model.input, probabilities, name="classifier"))
        return (tmp_path / name).read_bytes()

    model = dataset.load()
    first = join_and_save("first.keras", model)
    assert dataset.load() is model
    assert join_and_save("second.keras", model) == first


def test_threads_share_nothing(dataset) -> None:
    with ThreadPoolExecutor(1) as pool:
        other = pool.submit(dataset.load).result()
    assert dataset.load() is not other


def test_only_a_few_are_kept(dataset, tmp_path) -> None:
    model = dataset.load()
    for number in range(3):
        other = KerasModelDataset(filepath=str(tmp_path / f"{number}.keras"))
        other.save(model)
        other.load()
    assert dataset.load() is not model
