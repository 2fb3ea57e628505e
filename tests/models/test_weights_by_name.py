"""Weights by name: from one network into another, with exact shapes, and never silently none."""

from __future__ import annotations

import logging
from pathlib import Path

import h5py
import keras
import numpy as np
import pytest

from graft.errors import GraftError
from graft.models.backbones import build_backbone, build_small_cnn, collect_small_cnn_weights
from graft.models.pretrained import load_weights_by_name


@pytest.fixture(scope="module")
def narrow() -> keras.Model:
    """VGG16 with another first layer: all other names and shapes are VGG16's."""
    pictures = keras.Input((32, 32, 1))
    tensor = keras.layers.Conv2D(64, 3, padding="same", name="first_of_one_channel")(pictures)
    tensor = keras.layers.Conv2D(64, 3, padding="same", name="block1_conv2")(tensor)
    tensor = keras.layers.Conv2D(128, 3, padding="same", name="block2_conv1")(tensor)
    tensor = keras.layers.BatchNormalization(name="extra_bn")(tensor)
    return keras.Model(pictures, tensor)


def save_legacy(model: keras.Model, path: Path) -> None:
    """The layout of weights files before Keras 3, in which the ImageNet weights are offered."""
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = [layer.name.encode() for layer in model.layers]
        for layer in model.layers:
            group = file.create_group(layer.name)
            names = [weight.path.encode() for weight in layer.weights]
            group.attrs["weight_names"] = names
            for name, weight in zip(names, layer.weights, strict=True):
                group[name.decode()] = np.array(weight)


@pytest.mark.parametrize("suffix", [".weights.h5", ".h5", ".npz"])
def test_layers_of_the_same_name_get_their_weights(suffix, narrow, tmp_path, caplog) -> None:
    path = tmp_path / f"narrow{suffix}"
    if suffix == ".npz":
        np.savez(path, **{weight.path: np.array(weight) for weight in narrow.weights})
    elif suffix == ".h5":
        save_legacy(narrow, path)
    else:
        narrow.save_weights(path)
    with caplog.at_level(logging.INFO):
        network = build_backbone("VGG16", 32, str(path), seed=3, match="by_name")
    assert "of 2 of 13 layers by name; the other 11 stay random" in caplog.text
    plain = build_backbone("VGG16", 32, "random", seed=3)
    for layer in [layer for layer in network.layers if layer.weights]:
        same = layer.name in ("block1_conv2", "block2_conv1")
        source = narrow.get_layer(layer.name) if same else plain.get_layer(layer.name)
        for mine, other in zip(layer.get_weights(), source.get_weights(), strict=True):
            np.testing.assert_array_equal(mine, other)


def test_statistics_come_along(tmp_path) -> None:
    saved = build_small_cnn(8, seed=1)
    saved.get_layer("block1_bn1").moving_mean.assign(np.arange(32))
    saved.save_weights(tmp_path / "own.weights.h5")
    network = build_small_cnn(8, seed=2)
    assert load_weights_by_name(network, "small_cnn", str(tmp_path / "own.weights.h5")) == 10
    expected = collect_small_cnn_weights(saved)
    for path, array in collect_small_cnn_weights(network).items():
        np.testing.assert_array_equal(array, expected[path])


def refuse(path: Path, network: keras.Model | None = None) -> str:
    network = network or build_small_cnn(8, seed=0)
    before = network.get_weights()
    with pytest.raises(GraftError) as error:
        load_weights_by_name(network, "small_cnn", str(path))
    for mine, other in zip(network.get_weights(), before, strict=True):
        np.testing.assert_array_equal(mine, other)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_another_shape_is_refused_before_anything_is_set(tmp_path) -> None:
    weights = collect_small_cnn_weights(build_small_cnn(8, seed=0))
    weights["block3_conv1/kernel"] = np.zeros((1, 1, 96, 96), np.float32)
    np.savez(tmp_path / "other.npz", **weights)
    assert "the layer block3_conv1 has another shape" in refuse(tmp_path / "other.npz")


def test_a_file_without_a_common_name_is_refused(tmp_path) -> None:
    other = keras.Sequential([keras.Input((2,)), keras.layers.Dense(2, name="lonely")])
    other.save_weights(tmp_path / "other.weights.h5")
    message = refuse(tmp_path / "other.weights.h5")
    assert "no layer of small_cnn has a name of this file's layers (lonely)" in message
    assert "its own are named block1_conv1, block1_bn1, block1_conv2, …" in message


@pytest.mark.parametrize("name", ["x.h5", "x.weights.h5", "x.npz", "x.txt"])
def test_what_cannot_be_read_is_refused(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(b"<html>404</html>")
    assert "this is no weights file" in refuse(tmp_path / name)


def test_a_missing_file_or_a_name_of_weights_is_refused(tmp_path: Path) -> None:
    assert "must be an existing weights file; got 'imagenet'" in refuse(Path("imagenet"))
    assert "an existing weights file" in refuse(tmp_path / "missing.h5")
