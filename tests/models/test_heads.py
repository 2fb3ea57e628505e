"""Heads and classifiers: one flat model that opens anywhere Keras is."""

from __future__ import annotations

import os
import subprocess
import sys

import keras
import numpy as np
import pytest

from graft.models.backbones import build_backbone
from graft.models.heads import build_head, join_classifier
from graft.models.inference import compile_forward


def build(dropout=0.5, class_count=4, dimension=6):
    return build_head(dimension, class_count, dropout, weight_decay=0.01, seed=0)


def draw_features(count=5, dimension=6):
    return np.random.default_rng(0).normal(size=(count, dimension)).astype("float32")


@pytest.mark.parametrize("class_count", [2, 4, 43])
def test_every_class_is_equally_likely_before_training(class_count):
    probabilities = build(class_count=class_count)(draw_features()).numpy()
    np.testing.assert_allclose(probabilities, 1 / class_count, rtol=1e-6)


def test_the_first_loss_is_the_logarithm_of_the_number_of_classes():
    head = build(class_count=4)
    head.compile(loss="sparse_categorical_crossentropy")
    loss = head.evaluate(draw_features(), np.array([0, 1, 2, 3, 0]), verbose=0)
    assert loss == pytest.approx(np.log(4), rel=1e-6)


def test_features_are_dropped_in_training_alone():
    head = build(dropout=0.5)
    dropout = head.get_layer("dropout")
    features = draw_features()
    np.testing.assert_array_equal(dropout(features, training=False), features)
    dropped = dropout(features, training=True).numpy()
    assert 0 < (dropped == 0).mean() < 1


def test_large_weights_are_penalised():
    head = build()
    assert float(sum(head.losses)) == 0
    head.get_layer("probabilities").kernel.assign(np.full((6, 4), 2.0))
    assert float(sum(head.losses)) == pytest.approx(0.01 * 24 * 4)


def test_a_hidden_layer_stands_before_the_dropout_and_is_the_same_for_the_same_seed():
    heads = [build_head(6, 4, 0.5, 0.0, seed, hidden_units=3) for seed in (0, 0, 1)]
    assert [layer.name for layer in heads[0].layers] == ["hidden", "dropout", "probabilities"]
    first, second, third = (head.get_weights()[0] for head in heads)
    np.testing.assert_array_equal(first, second)
    assert not np.array_equal(first, third)
    assert heads[0].count_params() == 6 * 3 + 3 + 3 * 4 + 4


@pytest.fixture(scope="module")
def classifier():
    backbone = build_backbone("MobileNet", 32, "random", seed=0)
    head = build(class_count=3, dimension=1024)
    kernel = np.random.default_rng(0).normal(size=(1024, 3))
    head.get_layer("probabilities").kernel.assign(kernel)
    return join_classifier(backbone, head)


@pytest.fixture(scope="module")
def pictures():
    return np.random.default_rng(1).integers(0, 256, (7, 32, 32, 3), dtype=np.uint8)


def test_a_classifier_is_the_backbone_followed_by_the_head(pictures):
    backbone = build_backbone("small_cnn", 32, "random", seed=0)
    head = build(dimension=384)
    head.get_layer("probabilities").kernel.assign(np.random.default_rng(0).normal(size=(384, 4)))
    joined = join_classifier(backbone, head)
    expected = head(backbone(pictures)).numpy()
    np.testing.assert_allclose(joined(pictures).numpy(), expected, rtol=1e-5)


def test_a_classifier_goes_from_pictures_to_probabilities(classifier, pictures):
    assert classifier.input_shape == (None, 32, 32, 3)
    assert classifier.inputs[0].dtype == "uint8"
    probabilities = classifier(pictures).numpy()
    assert probabilities.shape == (7, 3)
    assert probabilities.dtype == np.float32
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-5)


def test_a_classifier_is_flat(classifier):
    assert not any(isinstance(layer, keras.Model) for layer in classifier.layers)


def test_a_saved_classifier_needs_nothing_but_keras(classifier, pictures, tmp_path):
    classifier.save(tmp_path / "classifier.keras")
    np.save(tmp_path / "pictures.npy", pictures)
    code = (
        "import keras, numpy, sys\n"
        "model = keras.saving.load_model('classifier.keras')\n"
        "numpy.save('there.npy', model(numpy.load('pictures.npy')).numpy())\n"
        "assert not any(name.startswith('graft') for name in sys.modules)"
    )
    subprocess.run(
        [sys.executable, "-c", code],
        check=True,
        capture_output=True,
        cwd=tmp_path,
        env={**os.environ, "KERAS_BACKEND": "tensorflow"},
    )
    there = np.load(tmp_path / "there.npy")
    np.testing.assert_allclose(there, classifier(pictures).numpy(), atol=1e-6)


@pytest.fixture(scope="module")
def forward(classifier):
    return compile_forward(classifier, batch_size=4)


def test_a_picture_has_the_same_probabilities_in_every_batch(forward, pictures):
    alone = np.concatenate([forward(picture[None]) for picture in pictures])
    in_batches = np.concatenate([forward(pictures[:4]), forward(pictures[4:])])
    turned = np.concatenate([forward(pictures[3::-1]), forward(pictures[:3:-1])])
    assert alone.tobytes() == in_batches.tobytes()
    assert alone[[3, 2, 1, 0, 6, 5, 4]].tobytes() == turned.tobytes()


def test_a_compiled_classifier_agrees_with_keras(forward, classifier, pictures):
    probabilities = forward(pictures[:3])
    assert probabilities.shape == (3, 3)
    assert probabilities.dtype == np.float32
    np.testing.assert_allclose(probabilities, classifier(pictures[:3]).numpy(), atol=1e-5)


def test_a_memory_mapped_batch_can_be_run(forward, pictures, tmp_path):
    np.save(tmp_path / "pictures.npy", pictures)
    mapped = np.load(tmp_path / "pictures.npy", mmap_mode="r")
    np.testing.assert_array_equal(forward(mapped[:4]), forward(pictures[:4]))
