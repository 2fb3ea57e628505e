"""Data sets of Keras by name: from its cache or the network, or a line that says what to do."""

from __future__ import annotations

import gzip
import importlib
import io
import re
import socket
from pathlib import Path

import numpy as np
import pytest
from kedro.io import DatasetError
from PIL import Image

from graft.datasets import KerasImagesDataset
from graft.errors import GraftError

RANDOM = np.random.default_rng(0)
GREY = RANDOM.integers(0, 256, (5, 28, 28), np.uint8)
COLOUR = RANDOM.integers(0, 256, (5, 32, 32, 3), np.uint8)


@pytest.fixture
def cache(tmp_path, monkeypatch) -> Path:
    """The cache of Keras, empty."""
    importlib.import_module("keras")
    monkeypatch.setattr("keras.src.backend.config._KERAS_DIR", str(tmp_path))
    return tmp_path


@pytest.fixture
def provide(monkeypatch):
    """Function that puts arrays in the place of a download: three of train and two of test."""

    def provide(name, pixels, labels):
        parts = (pixels[:3], labels[:3]), (pixels[3:], labels[3:])
        module = importlib.import_module(f"keras.datasets.{name}")
        monkeypatch.setattr(module, "load_data", lambda: parts)

    return provide


def test_train_and_test_are_one_source(provide):
    provide("mnist", GREY, np.array([5, 0, 4, 1, 9], np.uint8))
    source = KerasImagesDataset(name="mnist").load()
    assert source.records["image_id"].tolist() == [
        "mnist_train_00000.png", "mnist_train_00001.png", "mnist_train_00002.png",
        "mnist_test_00000.png", "mnist_test_00001.png",
    ]  # fmt: skip
    assert source.records["label"].tolist() == ["5", "0", "4", "1", "9"]
    assert source.records[["group", "source", "crop"]].isna().all(axis=None)


def test_colours_are_kept(provide):
    provide("cifar10", COLOUR, np.array([[6], [9], [0], [1], [2]], np.uint8))
    source = KerasImagesDataset(name="cifar10").load()
    picture = Image.open(io.BytesIO(source.read("cifar10_test_00001.png")))
    np.testing.assert_array_equal(np.asarray(picture), COLOUR[4])


def test_colours_first_are_put_last(provide):
    provide("cifar10", COLOUR.transpose(0, 3, 1, 2), np.zeros((5, 1), np.uint8))
    picture = KerasImagesDataset(name="cifar10").load().read("cifar10_train_00000.png")
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(picture))), COLOUR[0])


@pytest.mark.parametrize(
    ("name", "labels", "names"),
    [
        ("cifar10", [0, 3, 9, 1, 2], ["airplane", "cat", "truck", "automobile", "bird"]),
        ("fashion_mnist", [0, 9, 1, 2, 3],
         ["T-shirt/top", "Ankle boot", "Trouser", "Pullover", "Dress"]),
        ("cifar100", [0, 99, 7, 10, 1], ["00", "99", "07", "10", "01"]),
    ],
)  # fmt: skip
def test_classes_have_their_published_names_or_numbers_in_order(provide, name, labels, names):
    provide(name, COLOUR, np.array(labels))
    assert KerasImagesDataset(name=name).load().records["label"].tolist() == names


def test_the_number_of_pictures_can_be_limited(provide):
    provide("mnist", GREY, np.arange(5))
    assert len(KerasImagesDataset(name="mnist", limit=2).load().records) == 4


def test_an_unknown_name_is_refused_at_once():
    with pytest.raises(GraftError, match=r"mnist, fashion_mnist, cifar10, cifar100; got 'imdb'$"):
        KerasImagesDataset(name="imdb")


def load_in_vain(name) -> str:
    with pytest.raises(DatasetError) as error:
        KerasImagesDataset(name=name).load()
    assert isinstance(error.value.__cause__, GraftError)
    return str(error.value.__cause__)


@pytest.mark.parametrize(
    ("name", "address", "file"),
    [
        ("mnist", "mnist.npz", "datasets/mnist.npz"),
        ("fashion_mnist", "train-labels-idx1-ubyte.gz",
         "datasets/fashion-mnist/train-labels-idx1-ubyte.gz"),
        ("cifar10", "cifar-10-python.tar.gz", "datasets/cifar-10-batches-py-target_archive"),
        ("cifar100", "cifar-100-python.tar.gz", "datasets/cifar-100-python-target_archive"),
    ],
)  # fmt: skip
def test_without_a_network_the_file_its_place_and_its_address_are_named(
    cache, monkeypatch, name, address, file
):
    # A machine with a network must not download for a test: nothing listens at this proxy.
    for scheme in ("http", "https"):
        monkeypatch.setenv(f"{scheme}_proxy", "http://127.0.0.1:9")
    message = load_in_vain(name)
    place = cache / file
    assert re.search(rf"the pictures of {name} are not here and cannot be downloaded \(", message)
    assert re.search(rf"fetch 'https://[^']*/{address}' elsewhere", message)
    assert f"put it into '{place.parent}' under the name '{place.name}', then run" in message
    assert message.endswith(f"got name '{name}'")
    assert "\n" not in message
    assert socket.getdefaulttimeout() is None


@pytest.mark.parametrize(
    ("name", "fault"),
    [("mnist", r"cannot be downloaded \(Incomplete or corrupted"), ("fashion_mnist", "damaged")],
)
def test_a_login_page_in_place_of_a_download_is_told_in_one_line(cache, monkeypatch, name, fault):
    def save_a_web_page(_, path, *__):
        Path(path).write_text("<html>proxy login</html>")

    monkeypatch.setattr("keras.src.utils.file_utils.urlretrieve", save_a_web_page)
    message = load_in_vain(name)
    assert re.search(fault, message)
    assert "\n" not in message


def test_a_damaged_file_in_the_cache_is_named(cache):
    folder = cache / "datasets" / "fashion-mnist"
    folder.mkdir(parents=True)
    for part in ("train", "t10k"):
        for kind in ("images-idx3", "labels-idx1"):
            (folder / f"{part}-{kind}-ubyte.gz").write_bytes(gzip.compress(bytes(8)))
    message = load_in_vain("fashion_mnist")
    assert "in Keras' cache are damaged (" in message
    assert f"delete them and run again to download them anew; got {folder}" in message
    assert "\n" not in message


@pytest.mark.parametrize(
    ("pixels", "labels"),
    [
        (GREY.astype("float32"), np.zeros(5, int)),
        (GREY[0], np.zeros(28, int)),
        (GREY, np.zeros(5)),
        (np.stack([GREY] * 4, -1), np.zeros(5, int)),
    ],
    ids=["numbers with a point", "no pictures", "no whole labels", "four colours"],
)
def test_arrays_that_are_no_labelled_pictures_are_refused(provide, pixels, labels):
    provide("mnist", pixels, labels)
    assert "in Keras' cache are damaged (" in load_in_vain("mnist")
