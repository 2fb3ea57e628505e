"""Backbones: by name, with their own preprocessing inside, flat and of Keras' own layers."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from graft.errors import GraftError
from graft.models.backbones import build_backbone, list_backbones, register_backbone

SIZE = 32


def draw_pictures(count=2, size=SIZE):
    random = np.random.default_rng(0)
    return random.integers(0, 256, (count, size, size, 3), dtype=np.uint8)


def scale_to_plus_minus_1(pixels):
    return pixels / 127.5 - 1


def subtract_imagenet_mean_from_bgr(pixels):
    return pixels[..., ::-1] - [103.939, 116.779, 123.68]


def standardise_by_imagenet(pixels):
    return (pixels / 255 - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]


def leave_as_they_are(pixels):
    return pixels


# One of every way in which the networks of keras.applications were fed while they were trained.
FAMILIES = {
    "MobileNet": (scale_to_plus_minus_1, 1024),
    "VGG16": (subtract_imagenet_mean_from_bgr, 512),
    "DenseNet121": (standardise_by_imagenet, 1024),
    "MobileNetV3Small": (leave_as_they_are, 576),
}


@pytest.fixture(scope="module")
def build():
    """Function that builds each backbone once."""
    built = {}

    def build(name):
        if name not in built:
            built[name] = build_backbone(name, SIZE, "random", seed=0)
        return built[name]

    return build


@pytest.mark.parametrize("name", FAMILIES)
def test_a_backbone_preprocesses_as_its_network_was_trained(build, name):
    backbone, (preprocess, _) = build(name), FAMILIES[name]
    plain = getattr(keras.applications, name)(
        include_top=False, weights=None, input_shape=(SIZE, SIZE, 3), pooling="avg"
    )
    plain.trainable = False
    plain.set_weights(backbone.get_weights())
    pixels = preprocess(draw_pictures().astype("float64")).astype("float32")
    np.testing.assert_allclose(
        backbone(draw_pictures()).numpy(),
        plain(pixels, training=False).numpy(),
        rtol=1e-3,
        atol=1e-4,
    )


@pytest.mark.parametrize("name", FAMILIES)
def test_a_backbone_turns_pictures_into_feature_vectors(build, name):
    backbone, (_, dimension) = build(name), FAMILIES[name]
    assert backbone.input_shape == (None, SIZE, SIZE, 3)
    assert backbone.inputs[0].dtype == "uint8"
    assert backbone.output_shape == (None, dimension)
    assert backbone.output.dtype == "float32"


@pytest.mark.parametrize("name", FAMILIES)
def test_a_backbone_is_flat_and_frozen(build, name):
    backbone = build(name)
    assert not any(isinstance(layer, keras.Model) for layer in backbone.layers)
    assert backbone.trainable_weights == []


@pytest.mark.filterwarnings("error:The structure of `inputs`")
@pytest.mark.parametrize("name", FAMILIES)
def test_a_backbone_takes_a_batch_of_pictures_and_no_list_of_batches(build, name):
    assert build(name).input.shape == (None, SIZE, SIZE, 3)
    build(name)(draw_pictures())


@pytest.mark.parametrize("name", FAMILIES)
def test_a_picture_makes_a_difference(build, name):
    one, other = build(name)(draw_pictures()).numpy()
    assert np.isfinite(one).all()
    assert not np.array_equal(one, other)


def test_the_seed_decides_random_weights():
    first, again, other = (
        build_backbone("VGG16", SIZE, "random", seed).get_weights()[0] for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_every_network_of_keras_is_listed_and_nothing_else():
    own, *networks = list_backbones()
    assert own == "small_cnn"
    assert {"MobileNetV2", "VGG16", "ResNet50", "InceptionV3", "EfficientNetV2B0"} <= set(networks)
    assert all(callable(getattr(keras.applications, name)) for name in networks)
    assert len(networks) == len(set(networks)) >= 35


@pytest.mark.parametrize(
    ("given", "suggested"),
    [
        ("MobilNetV2", "MobileNetV2"),
        ("mobilenetv2", "MobileNetV2"),
        ("ResNet-50", "ResNet50"),
        ("smallcnn", "small_cnn"),
        ("xyz", "MobileNetV2"),
    ],
)
def test_an_unknown_backbone_suggests_the_nearest(given, suggested):
    with pytest.raises(GraftError, match=f"did you mean .*{suggested}.*got '{given}'$"):
        build_backbone(given, SIZE, "random", seed=0)


@pytest.mark.parametrize("weights", ["random", "imagenet"])
@pytest.mark.parametrize(("name", "size"), [("MobileNetV2", 16), ("InceptionV3", 74)])
def test_pictures_too_small_for_a_network_are_refused(name, size, weights):
    with pytest.raises(GraftError, match=rf"{name} cannot be built .*{size}×{size} .*image_size"):
        build_backbone(name, size, weights, seed=0)


def test_a_backbone_of_ones_own_can_be_registered(monkeypatch):
    monkeypatch.setattr("graft.models.backbones._OWN_BACKBONES", {})

    @register_backbone("mean_colour")
    def build_mean_colour(image_size, seed):
        pictures = keras.Input((image_size, image_size, 3), dtype="uint8")
        return keras.Model(pictures, keras.layers.GlobalAveragePooling2D()(pictures))

    assert "mean_colour" in list_backbones()
    backbone = build_backbone("mean_colour", 4, "random", seed=0)
    assert backbone.output_shape == (None, 3)
