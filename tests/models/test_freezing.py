"""Freezing: whole blocks, BatchNormalization never, and two parts that are the whole."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from graft.errors import GraftError
from graft.models.freezing import cut_classifier, join_for_training
from graft.models.heads import build_head
from helpers.networks import build_short_efficientnet

PICTURES = np.random.default_rng(0).integers(0, 256, (3, 32, 32, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def backbone() -> keras.Model:
    backbone = build_short_efficientnet()
    # A random network shrinks its numbers to rounding errors.
    for layer in backbone.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.moving_variance.assign(layer.moving_variance * 0.5)
    backbone.trainable = False
    return backbone


@pytest.fixture
def head(backbone: keras.Model) -> keras.Model:
    head = build_head(backbone.output_shape[-1], 3, dropout=0.2, weight_decay=0.0, seed=0)
    features = backbone(PICTURES).numpy()
    kernel = np.random.default_rng(1).normal(size=(backbone.output_shape[-1], 3))
    kernel /= features.std(axis=0).mean() * np.sqrt(len(kernel))
    # Of what all pictures have in common nothing is left: no class is sure.
    head.layers[-1].set_weights([kernel, -features.mean(axis=0) @ kernel])
    return head


@pytest.mark.parametrize("unfreeze", ["block2b", 2, 5, "none"])
def test_trunk_and_tail_together_are_the_whole(backbone, head, unfreeze) -> None:
    cut = cut_classifier(backbone, head, unfreeze)
    boundary = PICTURES if cut.trunk is None else cut.trunk(PICTURES)
    np.testing.assert_allclose(cut.tail(boundary), cut.whole(PICTURES), atol=1e-4)


def test_only_the_kernels_of_the_unfrozen_blocks_and_the_head_are_trained(backbone, head) -> None:
    cut = cut_classifier(backbone, head, "top")
    assert [weight.path for weight in cut.whole.trainable_variables] == [
        "top_conv/kernel",
        "head/probabilities/kernel",
        "head/probabilities/bias",
    ]
    assert [block.name for block in cut.unfrozen] == ["top"]
    cut = cut_classifier(backbone, head, "all")
    assert not [w for w in cut.whole.trainable_variables if "gamma" in w.path]
    assert "stem_conv/kernel" in [weight.path for weight in cut.whole.trainable_variables]


def test_batch_normalization_stays_in_inference_mode_whatever_is_unfrozen(backbone, head) -> None:
    for unfreeze in ("top", "all"):
        tail = cut_classifier(backbone, head, unfreeze).tail
        layer = tail.get_layer("top_bn")
        bright = np.full((2, 1, 1, 640), 100.0, np.float32)
        np.testing.assert_array_equal(layer(bright, training=True), layer(bright, training=False))


def test_nothing_unfrozen_leaves_the_head_alone(backbone, head) -> None:
    cut = cut_classifier(backbone, head, "none")
    assert cut.unfrozen == []
    assert len(cut.whole.trainable_variables) == 2


def test_frozen_layers_do_not_drop_out_in_training(backbone, head) -> None:
    cut = cut_classifier(backbone, head, "top")
    cut.tail.get_layer("dropout").rate = 0.0
    model = join_for_training(cut)
    trained, plain = model(PICTURES, training=True), cut.whole(PICTURES, training=False)
    np.testing.assert_allclose(trained, plain, atol=1e-4)
    assert not np.allclose(cut.whole(PICTURES, training=True), plain, atol=1e-4)
    assert [id(v) for v in model.trainable_variables] == [
        id(v) for v in cut.whole.trainable_variables
    ]
    assert "top_conv" in [layer.name for layer in model.layers]


def test_the_whole_comes_back_from_its_file(backbone, head, tmp_path) -> None:
    cut = cut_classifier(backbone, head, "block2b")
    cut.whole.save(tmp_path / "whole.keras")
    loaded = keras.models.load_model(tmp_path / "whole.keras", safe_mode=True)
    np.testing.assert_array_equal(loaded(PICTURES), cut.whole(PICTURES))
    assert not [layer for layer in loaded.layers if isinstance(layer, keras.Model)]


@pytest.mark.parametrize(
    ("unfreeze", "message"),
    [
        ("block1", r"unknown block; did you mean 'block1a'\? allowed are stem, .*; got 'block1'"),
        ("block2b_bn", "a layer inside the block block2b, .* give unfreeze=block2b"),
        (6, "has 5 blocks .* got 6"),
    ],
)
def test_what_is_no_block_is_told_in_one_line(backbone, head, unfreeze, message) -> None:
    with pytest.raises(GraftError, match=message) as error:
        cut_classifier(backbone, head, unfreeze)
    assert "\n" not in str(error.value)
