"""The small CNN: 384 features of a picture, and weights that fit by name and shape."""

import inspect
from importlib.resources import files

import keras
import numpy as np
import pytest

from graft.errors import GraftError
from graft.models import backbones as small_cnn
from graft.models.backbones import build_small_cnn, collect_small_cnn_weights
from graft.models.pretrained import assign_weights


def draw_pictures(image_size: int) -> np.ndarray:
    rng = np.random.default_rng(0)
    return rng.integers(0, 256, (3, image_size, image_size, 3), dtype=np.uint8)


@pytest.mark.parametrize("image_size", [8, 9, 12, 15, 20, 32, 50])
def test_a_picture_of_any_size_becomes_384_features(image_size):
    model = build_small_cnn(image_size, seed=0)
    features = model(draw_pictures(image_size)).numpy()
    assert model.input.dtype == "uint8"
    assert features.shape == (3, 384)
    assert features.dtype == np.float32
    assert features.min() >= 0


def test_the_number_of_weights_is_the_one_in_the_layer_table():
    table = inspect.getdoc(small_cnn)
    for image_size in (8, 50):
        assert f"{build_small_cnn(image_size, seed=0).count_params():,}" in table


def test_every_weight_in_the_layer_table_is_right():
    model = build_small_cnn(8, seed=0)
    for block, position, count in [
        (1, 1, 992), (1, 2, 14_016), (2, 1, 27_904), (2, 2, 55_680), (3, 1, 83_328)
    ]:  # fmt: skip
        layers = [model.get_layer(f"block{block}_{kind}{position}") for kind in ("conv", "bn")]
        assert sum(layer.count_params() for layer in layers) == count


def test_the_seed_decides_the_first_weights():
    first, again, other = (
        collect_small_cnn_weights(build_small_cnn(8, seed))["block2_conv1/kernel"]
        for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_a_saved_model_loads_without_custom_code(tmp_path):
    model = build_small_cnn(8, seed=0)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras", safe_mode=True)
    pictures = draw_pictures(8)
    np.testing.assert_array_equal(model(pictures), loaded(pictures))


def test_a_picture_below_8_pixels_is_refused():
    with pytest.raises(GraftError, match=r"at least 8 pixels.*Received: 7$"):
        build_small_cnn(7, seed=0)


def test_weights_move_between_models_of_different_picture_size():
    weights = collect_small_cnn_weights(build_small_cnn(8, seed=1))
    model = build_small_cnn(32, seed=2)
    assign_weights(model, weights)
    for path, array in collect_small_cnn_weights(model).items():
        np.testing.assert_array_equal(array, weights[path])


def remove_a_weight(weights):
    del weights["block1_bn1/beta"]


def add_a_weight(weights):
    weights["head/kernel"] = np.zeros((384, 10), np.float32)


def reshape_a_weight(weights):
    weights["block1_bn1/beta"] = np.zeros(31, np.float32)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (remove_a_weight, r"block1_bn1/beta must have shape \(32,\); got none$"),
        (add_a_weight, r"head/kernel must have shape none at all; got \(384, 10\)$"),
        (reshape_a_weight, r"block1_bn1/beta must have shape \(32,\); got \(31,\)$"),
    ],
)
def test_weights_that_do_not_fit_are_refused_and_change_nothing(spoil, message):
    model = build_small_cnn(8, seed=0)
    before = collect_small_cnn_weights(model)
    weights = collect_small_cnn_weights(build_small_cnn(8, seed=1))
    spoil(weights)
    with pytest.raises(ValueError, match=message):
        assign_weights(model, weights)
    for path, array in collect_small_cnn_weights(model).items():
        np.testing.assert_array_equal(array, before[path])


def test_the_weights_that_come_with_graft_fit_and_stay_below_1_mb():
    path = files("graft.models") / "weights" / "small_cnn_printed_letters.npz"
    assert path.stat().st_size <= 1_000_000
    with np.load(path, allow_pickle=False) as archive:
        assign_weights(build_small_cnn(8, seed=0), dict(archive))
