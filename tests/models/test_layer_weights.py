"""Weights by the names of layers: kept without their network, and put back."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from graft.models.backbones import build_backbone
from graft.models.heads import build_head, join_classifier
from graft.models.layer_weights import collect_weights, find_differing, put_weights


def make_parts(seed: int) -> tuple[keras.Model, keras.Model]:
    backbone = build_backbone("small_cnn", 8, "random", seed=seed)
    return backbone, build_head(384, 2, 0.2, weight_decay=0.0, seed=seed, hidden_units=3)


def test_the_weights_of_a_whole_go_back_into_its_parts() -> None:
    backbone, head = make_parts(0)
    kept = collect_weights(join_classifier(backbone, head))
    others = make_parts(1)
    for part, other in zip((backbone, head), others, strict=True):
        put_weights(other, kept)
        for mine, expected in zip(other.get_weights(), part.get_weights(), strict=True):
            np.testing.assert_array_equal(mine, expected)


def test_what_differs_is_named_layer_by_layer() -> None:
    backbone, head = make_parts(0)
    kept = collect_weights(join_classifier(backbone, head))
    assert find_differing(backbone, kept) == []
    layer = next(layer for layer in backbone.layers if layer.get_weights())
    layer.set_weights([weight + 1e-6 for weight in layer.get_weights()])
    assert find_differing(backbone, kept) == [layer.name]
    assert find_differing(backbone, kept, left_out={layer.name}) == []


@pytest.mark.parametrize("units", [0, 4])
def test_another_head_is_refused_and_left_as_it_was(units: int) -> None:
    kept = collect_weights(make_parts(0)[1])
    kept = {name: weight + 1 for name, weight in kept.items()}
    other = build_head(384, 2, 0.2, weight_decay=0.0, seed=0, hidden_units=units)
    before = other.get_weights()
    with pytest.raises(LookupError, match=r"hidden|probabilities"):
        put_weights(other, kept)
    for mine, expected in zip(other.get_weights(), before, strict=True):
        np.testing.assert_array_equal(mine, expected)
