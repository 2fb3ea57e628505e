"""Grad-CAM: it lights what speaks for a class, in any network that has a feature map."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from graft.models.backbones import build_backbone
from graft.models.grad_cam import compile_heat_maps, find_last_map, make_heat_maps, unfold
from graft.models.heads import build_head, join_classifier
from graft.models.networks.registry import NetworkSettings, build_classifier
from helpers.classifiers import build_undecided

RANDOM = np.random.default_rng(0)
SETTINGS = NetworkSettings(class_count=3)


def join(name: str, image_size: int) -> keras.Model:
    backbone = build_backbone(name, image_size, "random", seed=0)
    return join_classifier(backbone, build_head(backbone.output_shape[-1], 3, 0.2, 0.0, 0))


def make_pictures(side: int, channels: int = 3, count: int = 5) -> np.ndarray:
    return RANDOM.integers(0, 256, (count, side, side, channels), dtype=np.uint8)


@pytest.mark.parametrize(
    ("name", "image_size", "layer", "shape"),
    [
        ("small_cnn", 8, "block3_relu1", (2, 2, 96)),
        ("small_cnn", 32, "block3_relu1", (8, 8, 96)),
        ("MobileNet", 64, "conv_pw_13_relu", (2, 2, 1024)),
        pytest.param("DenseNet121", 64, "relu", (2, 2, 1024), marks=pytest.mark.slow),
    ],
)
def test_the_last_map_lies_behind_the_activation_and_before_pooling(
    name: str, image_size: int, layer: str, shape: tuple[int, ...]
) -> None:
    found = find_last_map(join(name, image_size))
    assert (found.layer, found.shape) == (layer, shape)


@pytest.mark.parametrize("name", ["mnist_sequential", "mnist_residual", "mnist_subclassed"])
def test_networks_from_scratch_have_one_too_after_they_were_saved(
    name: str, tmp_path: Path
) -> None:
    built = build_classifier(name, (20, 20, 3), SETTINGS)
    built.save(tmp_path / "network.keras")
    classifier = keras.models.load_model(tmp_path / "network.keras", compile=False)
    found = find_last_map(classifier)
    assert found.layer in ("conv3", "add")
    pictures = make_pictures(20)
    np.testing.assert_allclose(found.network(pictures)[1], built(pictures), atol=1e-6)
    classes = np.argmax(built(pictures), axis=1)
    assert make_heat_maps(found, pictures, classes).max() == 255


def test_networks_inside_a_network_are_looked_into() -> None:
    inner = keras.Sequential(
        [keras.Input((6, 6, 4)), keras.layers.Conv2D(5, 3, name="inner_conv", activation="relu")]
    )
    functional = keras.Sequential([inner, keras.layers.MaxPooling2D(2)])
    pixels = keras.Input((8, 8, 3), dtype="uint8")
    around = keras.layers.Conv2D(4, 3, name="outer_conv")(keras.layers.Rescaling(1 / 255)(pixels))
    flat = keras.layers.Flatten()(functional(around))
    classifier = keras.Model(pixels, keras.layers.Dense(2, activation="softmax")(flat))
    found = find_last_map(classifier)
    assert (found.layer, found.shape) == ("inner_conv", (4, 4, 5))
    pictures = make_pictures(8)
    np.testing.assert_allclose(found.network(pictures)[1], classifier(pictures), atol=1e-6)


@keras.saving.register_keras_serializable(package="test")
class OpaqueNetwork(keras.Model):
    """Its call uses TensorFlow itself, which knows nothing of symbols."""

    def __init__(self) -> None:
        super().__init__()
        self.convolution = keras.layers.Conv2D(2, 3)

    def call(self, pixels):
        return tf.nn.softmax(tf.reduce_mean(self.convolution(tf.identity(pixels)), axis=(1, 2)))


def test_a_network_without_a_map_is_told_as_such() -> None:
    pixels = keras.Input((8, 8, 3), dtype="uint8")
    scaled = keras.layers.Rescaling(1 / 255)(pixels)
    dense = keras.layers.Dense(2, activation="softmax")(keras.layers.Flatten()(scaled))
    assert find_last_map(keras.Model(pixels, dense)) is None
    assert find_last_map(build_undecided((8, 8, 3), 3)) is None
    opaque = keras.Model(pixels, OpaqueNetwork()(scaled))
    assert unfold(opaque) is opaque
    assert find_last_map(opaque) is None


def build_by_hand(kernel: np.ndarray, biases: np.ndarray) -> keras.Model:
    """The map is the picture's two channels, squared; then their means and a dense layer."""
    pixels = keras.Input((4, 4, 2))
    squares = keras.layers.Conv2D(2, 1, use_bias=False, name="squares")
    means = keras.layers.GlobalAveragePooling2D()(squares(pixels))
    dense = keras.layers.Dense(kernel.shape[1], activation="softmax")
    model = keras.Model(pixels, dense(means))
    squares.set_weights([np.eye(2).reshape(1, 1, 2, 2)])
    dense.set_weights([kernel, biases])
    return model


@pytest.mark.parametrize("sharpness", [1.0, 60.0], ids=["soft", "saturated"])
def test_it_is_the_formula_of_the_paper(sharpness: float) -> None:
    kernel = np.array([[1.0, -1.0, 0.5], [-0.5, 2.0, 0.0]])
    model = build_by_hand(sharpness * kernel, np.zeros(3))
    pictures = RANDOM.uniform(0, 1, (6, 4, 4, 2)).astype(np.float32)
    classes = np.array([0, 1, 2, 0, 1, 2])
    heat = compile_heat_maps(find_last_map(model), batch_size=4)
    given = np.concatenate([heat(pictures[:4], classes[:4]), heat(pictures[4:], classes[4:])])
    weights = (kernel - kernel.mean(axis=1, keepdims=True)).T[classes]
    expected = np.maximum(np.einsum("nhwk,nk->nhw", pictures, weights), 0)
    expected /= expected.max(axis=(1, 2), keepdims=True)
    np.testing.assert_allclose(given, expected, atol=1e-4)
    assert given.dtype == np.float32


def test_nothing_that_speaks_for_the_class_is_a_heat_of_zeros() -> None:
    model = build_by_hand(np.array([[1.0, 0.0], [1.0, 0.0]]), np.zeros(2))
    pictures = RANDOM.uniform(0.1, 1, (2, 4, 4, 2)).astype(np.float32)
    heat = make_heat_maps(find_last_map(model), pictures, np.array([0, 1]))
    assert heat[0].max() == 255
    assert not heat[1].any()


def test_a_head_of_one_output_gives_the_heat_of_one_of_two() -> None:
    backbone = build_backbone("small_cnn", 16, "random", seed=0)
    single = build_head(384, 2, 0.0, 0.0, 0, output_count=1)
    double = build_head(384, 2, 0.0, 0.0, 0)
    kernel = RANDOM.normal(size=(384, 1)).astype(np.float32) / 20
    single.get_layer("logit").set_weights([kernel, np.zeros(1)])
    double.layers[-1].set_weights([np.hstack([-kernel / 2, kernel / 2]), np.zeros(2)])
    pictures, classes = make_pictures(16), np.array([0, 1, 0, 1, 0])
    one, two = (
        make_heat_maps(find_last_map(join_classifier(backbone, head)), pictures, classes)
        for head in (single, double)
    )
    assert one.any(axis=(1, 2)).all()
    np.testing.assert_allclose(one.astype(int), two.astype(int), atol=1)


def test_a_picture_has_the_same_heat_whatever_is_in_its_batch() -> None:
    found = find_last_map(build_classifier("mnist_sequential", (28, 28, 1), SETTINGS))
    pictures, classes = make_pictures(28, channels=1), np.array([0, 1, 2, 0, 1])
    heat = compile_heat_maps(found, batch_size=5)
    alone = np.concatenate([heat(pictures[n : n + 1], classes[n : n + 1]) for n in range(5)])
    np.testing.assert_array_equal(heat(pictures, classes), alone)


def plant_patches(count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Noise, in every second picture with a patch of fine stripes somewhere; and where."""
    random = np.random.default_rng(1)
    pictures = random.integers(90, 166, (count, 24, 24, 3), dtype=np.uint8)
    places = random.integers(0, 18, (count, 2))
    stripes = np.where(np.arange(6) % 2, 230, 20).astype(np.uint8)[:, None, None]
    for number in range(0, count, 2):
        top, left = places[number]
        pictures[number, top : top + 6, left : left + 6] = stripes
    return pictures, np.arange(count) % 2 == 0, places


def test_a_planted_patch_is_lit() -> None:
    keras.utils.set_random_seed(0)
    pixels = keras.Input((24, 24, 3), dtype="uint8")
    x = keras.layers.Rescaling(1 / 127.5, offset=-1)(pixels)
    x = keras.layers.Conv2D(8, 3, padding="same", activation="relu")(x)
    x = keras.layers.Conv2D(8, 3, padding="same", activation="relu", strides=2)(x)
    x = keras.layers.GlobalAveragePooling2D()(x)
    model = keras.Model(pixels, keras.layers.Dense(2, activation="softmax")(x))
    model.compile(keras.optimizers.Adam(0.02), "sparse_categorical_crossentropy")
    pictures, has_patch, places = plant_patches(256)
    model.fit(pictures, has_patch.astype(int), batch_size=32, epochs=6, verbose=0)
    shown = pictures[has_patch]
    assert (model(shown).numpy().argmax(axis=1) == 1).mean() > 0.95
    heat = make_heat_maps(find_last_map(model), shown, np.ones(len(shown), int))
    hottest = np.stack(np.unravel_index(heat.reshape(len(heat), -1).argmax(axis=1), (12, 12)), 1)
    centres = places[has_patch] + 2.5
    distance = np.abs(2 * hottest + 0.5 - centres).max(axis=1)
    assert (distance <= 4).mean() > 0.95
    # A patch covers a sixteenth of the picture and holds most of its heat.
    rows = np.abs(2 * np.arange(12) + 0.5 - centres[:, :1]) <= 4
    columns = np.abs(2 * np.arange(12) + 0.5 - centres[:, 1:]) <= 4
    inside = (heat * rows[:, :, None] * columns[:, None, :]).sum(axis=(1, 2))
    assert np.median(inside / heat.sum(axis=(1, 2), dtype=float)) > 0.6


def test_settings_of_a_network_survive_its_being_looked_into() -> None:
    network = build_classifier("mnist_subclassed", (28, 28, 1), SETTINGS)
    find_last_map(network)
    inner = next(layer for layer in network.layers if isinstance(layer, keras.Model))
    assert inner.get_config()["settings"] == asdict(SETTINGS)
