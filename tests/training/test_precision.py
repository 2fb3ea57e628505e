"""Precision: bfloat16 where it is faster, float32 in what is saved."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from graft.errors import GraftError
from graft.models.backbones import build_backbone
from graft.models.heads import build_head, join_classifier
from graft.models.precision import choose_precision, clone_mixed
from graft.training import devices as precision
from graft.training.devices import open_for_training


@pytest.fixture(scope="module")
def classifier():
    backbone = build_backbone("small_cnn", 16, "random", seed=0)
    return join_classifier(backbone, build_head(384, 3, 0.1, 0.0, seed=0))


def pretend(monkeypatch, *capabilities):
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda _: list(capabilities))
    monkeypatch.setattr(
        tf.config.experimental, "get_device_details", lambda gpu: {"compute_capability": gpu}
    )


@pytest.mark.parametrize(
    ("gpus", "expected"),
    [((), "float32"), (((7, 5),), "float32"), (((8, 0),), "mixed_bfloat16"),
     (((9, 0), (7, 0)), "float32")],
)  # fmt: skip
def test_auto_takes_bfloat16_where_all_devices_compute_it(gpus, expected, monkeypatch):
    pretend(monkeypatch, *gpus)
    assert choose_precision("auto", "head_training") == expected


def test_bfloat16_without_a_device_for_it_is_refused_with_the_reason(monkeypatch):
    pretend(monkeypatch)
    message = r"^head_training\.precision: this device \(CPU\) computes bfloat16 more slowly"
    with pytest.raises(GraftError, match=message):
        choose_precision("mixed_bfloat16", "head_training")


def test_the_mixed_copy_computes_in_bfloat16_and_keeps_weights_and_answers_in_float32(classifier):
    mixed = clone_mixed(classifier)
    assert {layer.compute_dtype for layer in mixed.layers if layer.weights} >= {"bfloat16"}
    assert {str(weight.dtype) for weight in mixed.weights} == {"float32"}
    pictures = np.random.default_rng(0).integers(0, 256, (4, 16, 16, 3), dtype=np.uint8)
    answers = mixed(pictures)
    assert answers.dtype == "float32"
    np.testing.assert_allclose(answers, classifier(pictures), atol=0.02)


def test_what_the_mixed_copy_learns_comes_back_into_the_model(monkeypatch):
    monkeypatch.setattr(precision, "choose_precision", lambda *_: "mixed_bfloat16")
    head = build_head(4, 2, 0.0, 0.0, seed=0)
    with open_for_training(head, "auto", "head_training") as trained:
        assert trained is not head
        trained.compile("sgd", "sparse_categorical_crossentropy")
        trained.train_on_batch(np.ones((2, 4), "float32"), np.zeros(2))
        expected = trained.get_weights()
    for mine, theirs in zip(head.get_weights(), expected, strict=True):
        np.testing.assert_array_equal(mine, theirs)
        assert mine.any()
    assert {layer.compute_dtype for layer in head.layers} == {"float32"}
    assert not head.compiled
