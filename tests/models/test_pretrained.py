"""Pretrained weights: all of them fit or none is used, and a mistake is told in one line."""

from __future__ import annotations

import socket
import urllib.error
from pathlib import Path

import keras
import numpy as np
import pytest

from graft.errors import GraftError
from graft.models.backbones import build_backbone, build_small_cnn, collect_small_cnn_weights
from graft.models.pretrained import assign_weights, find_bundled_weights


def get_weights(model):
    return {weight.path: weight.numpy() for weight in model.weights}


def check_equal(model, other):
    expected = get_weights(other)
    for path, array in get_weights(model).items():
        np.testing.assert_array_equal(array, expected[path])


def build_mobile_net(weights, seed=0):
    return build_backbone("MobileNet", 32, str(weights), seed)


def test_weights_come_back_from_a_file_of_keras(tmp_path):
    saved = build_mobile_net("random", seed=1)
    saved.save_weights(tmp_path / "own.weights.h5")
    check_equal(build_mobile_net(tmp_path / "own.weights.h5", seed=2), saved)


def test_weights_come_back_from_a_file_of_plain_arrays(tmp_path):
    saved = build_small_cnn(8, seed=1)
    np.savez(tmp_path / "own.npz", **collect_small_cnn_weights(saved))
    check_equal(build_backbone("small_cnn", 16, str(tmp_path / "own.npz"), seed=2), saved)


def test_a_weights_file_may_lie_at_home(tmp_path, monkeypatch):
    saved = build_small_cnn(8, seed=1)
    np.savez(tmp_path / "own.npz", **collect_small_cnn_weights(saved))
    monkeypatch.setenv("HOME", str(tmp_path))
    check_equal(build_backbone("small_cnn", 8, "~/own.npz", seed=2), saved)


def test_the_weights_that_come_with_graft_are_found_by_name():
    bundled = build_backbone("small_cnn", 8, "printed_letters", seed=0)
    with np.load(find_bundled_weights("small_cnn", "printed_letters")) as archive:
        for path, array in get_weights(bundled).items():
            np.testing.assert_array_equal(array, archive[path])


@pytest.mark.parametrize(
    ("name", "weights"), [("MobileNetV2", "printed_letters"), ("small_cnn", "../small_cnn")]
)
def test_only_weights_of_this_backbone_are_found_by_name(name, weights):
    assert find_bundled_weights(name, weights) is None


@pytest.mark.parametrize(
    ("name", "weights"),
    [
        ("VGG16", "missing.weights.h5"),
        ("small_cnn", "missing.npz"),
        ("small_cnn", "image_net"),
        ("small_cnn", ""),
    ],
)
def test_a_missing_weights_file_is_named_with_what_is_allowed(name, weights):
    with pytest.raises(
        GraftError,
        match=rf"must be 'imagenet', 'random', .*existing weights file; got '{weights}'$",
    ):
        build_backbone(name, 32, weights, seed=0)


def check_is_refused(name, path, reason=""):
    with pytest.raises(GraftError, match=rf"not the weights of {name} .*{reason}.*got '") as error:
        build_backbone(name, 32, str(path), seed=0)
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 500


def test_weights_of_another_network_are_refused(tmp_path):
    other = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])
    other.save_weights(tmp_path / "other.weights.h5")
    check_is_refused("MobileNet", tmp_path / "other.weights.h5")


def test_weights_of_a_wider_network_are_refused(tmp_path):
    wider = keras.applications.MobileNet(
        include_top=False, weights=None, input_shape=(32, 32, 3), alpha=1.4
    )
    wider.save_weights(tmp_path / "wider.weights.h5")
    check_is_refused("MobileNet", tmp_path / "wider.weights.h5")


@pytest.mark.parametrize("suffix", [".weights.h5", ".h5", ".npz", ".txt", ""])
@pytest.mark.parametrize("content", [b"", b"<html>404</html>"], ids=["empty", "web page"])
def test_what_is_no_weights_file_is_refused(tmp_path, suffix, content):
    path = tmp_path / f"weights{suffix}"
    path.write_bytes(content)
    check_is_refused("small_cnn", path)


def test_an_archive_of_arrays_cut_short_is_refused(tmp_path):
    path = tmp_path / "cut.npz"
    np.savez(path, **collect_small_cnn_weights(build_small_cnn(8, seed=0)))
    path.write_bytes(path.read_bytes()[:5_000])
    check_is_refused("small_cnn", path)


def test_one_array_alone_is_refused(tmp_path):
    np.save(tmp_path / "one.npy", np.zeros(3))
    check_is_refused("small_cnn", (tmp_path / "one.npy").rename(tmp_path / "one.npz"))


def test_weights_with_code_inside_are_refused(tmp_path):
    weights = collect_small_cnn_weights(build_small_cnn(8, seed=0))
    weights["block1_conv1/kernel"] = np.array([{"a": 1}], dtype=object)
    np.savez(tmp_path / "code.npz", **weights)
    check_is_refused("small_cnn", tmp_path / "code.npz", reason="Object arrays cannot be loaded")


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda w: w.pop("block1_bn1/beta"), r"block1_bn1/beta must have shape \(32,\); got none"),
        (lambda w: w.update(x=np.zeros(2)), r"weight x must have shape none at all; got \(2,\)"),
        (lambda w: w.update({"block1_bn1/beta": np.zeros(3)}), r"shape \(32,\); got \(3,\)"),
    ],
    ids=["missing", "unknown", "other shape"],
)
def test_weights_fit_all_together_or_none_is_changed(spoil, message):
    model = build_small_cnn(8, seed=0)
    before = get_weights(model)
    weights = collect_small_cnn_weights(build_small_cnn(8, seed=1))
    spoil(weights)
    with pytest.raises(ValueError, match=message):
        assign_weights(model, weights)
    for path, array in get_weights(model).items():
        np.testing.assert_array_equal(array, before[path])


def test_there_are_no_imagenet_weights_of_the_small_cnn():
    with pytest.raises(
        GraftError, match=r"no ImageNet weights of small_cnn; .*'printed_letters', 'random'"
    ):
        build_backbone("small_cnn", 32, "imagenet", seed=0)


@pytest.fixture
def keras_home(tmp_path, monkeypatch):
    """An empty cache of Keras, and no network."""

    def fail(*_):
        raise urllib.error.URLError("[Errno -2] Name or service not known")

    monkeypatch.setattr("keras.src.backend.config._KERAS_DIR", str(tmp_path))
    monkeypatch.setattr("keras.src.utils.file_utils.urlretrieve", fail)
    return tmp_path


@pytest.mark.parametrize(
    ("name", "size", "file"),
    [
        ("MobileNet", 128, r"mobilenet_1_0_128_tf_no_top\.h5"),
        ("VGG16", 32, r"vgg16_weights_tf_dim_ordering_tf_kernels_notop\.h5"),
    ],
)
def test_weights_that_cannot_be_downloaded_say_where_to_put_which_file(
    keras_home, name, size, file
):
    folder = keras_home / "models"
    with pytest.raises(GraftError, match=rf"the ImageNet weights of {name} .*'{file}'") as error:
        build_backbone(name, size, "imagenet", seed=0)
    message = str(error.value)
    assert f"into '{folder}'" in message
    assert "Name or service not known" in message
    assert "--params weights=FILE" in message
    assert "backbone.weights" in message
    assert "\n" not in message


def test_a_download_has_a_time_limit_that_ends_with_it(keras_home, monkeypatch):
    seen = []

    def record(*_):
        seen.append(socket.getdefaulttimeout())
        raise urllib.error.URLError("timed out")

    monkeypatch.setattr("keras.src.utils.file_utils.urlretrieve", record)
    before = socket.getdefaulttimeout()
    with pytest.raises(GraftError, match="timed out"):
        build_backbone("VGG16", 32, "imagenet", seed=0)
    assert seen == [30.0]
    assert socket.getdefaulttimeout() == before


def test_a_damaged_download_is_told_in_one_line(keras_home, monkeypatch):
    def save_a_web_page(_, path, *__):
        Path(path).write_text("<html>proxy login</html>")

    monkeypatch.setattr("keras.src.utils.file_utils.urlretrieve", save_a_web_page)
    with pytest.raises(GraftError, match="ImageNet weights of VGG16") as error:
        build_backbone("VGG16", 32, "imagenet", seed=0)
    assert "\n" not in str(error.value)


@pytest.mark.shared
def test_the_real_weights_of_imagenet_fit(shared):
    path = shared / "weights" / "mobilenet_v2_imagenet_no_top.weights.h5"
    backbone = build_backbone("MobileNetV2", 32, str(path), seed=0)
    assert np.isfinite(backbone(np.full((1, 32, 32, 3), 128, np.uint8)).numpy()).all()
