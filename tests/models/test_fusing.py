"""Convolutions that compute the frozen normalizations behind them."""

import keras
import numpy as np
import pytest

from graft.models.fusing import FusedConvolution, fuse_frozen_norms


def randomize(model: keras.Model) -> None:
    """Weights and statistics that none of them is 0 or 1 of."""
    generator = np.random.default_rng(0)
    for weight in model.weights:
        low = 0.5 if "variance" in weight.path else -0.5
        weight.assign(generator.uniform(low, 1.0, weight.shape))


def join(inputs: keras.KerasTensor, outputs: keras.KerasTensor) -> keras.Model:
    model = keras.Model(inputs, outputs)
    randomize(model)
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.trainable = False
    return model


def make_network(*layers: keras.Layer) -> keras.Model:
    inputs = keras.Input((9, 9, 4))
    outputs = inputs
    for layer in layers:
        outputs = layer(outputs)
    return join(inputs, outputs)


def count_fused(model: keras.Model) -> int:
    return sum(isinstance(layer, FusedConvolution) for layer in model.layers)


PICTURES = np.random.default_rng(1).uniform(-1, 1, (5, 9, 9, 4)).astype(np.float32)
NORM = keras.layers.BatchNormalization


@pytest.mark.parametrize(
    "layers",
    [
        [keras.layers.Conv2D(6, 3, strides=2, padding="same", use_bias=False), NORM()],
        [keras.layers.Conv2D(6, 3, dilation_rate=2), NORM(scale=False)],
        [keras.layers.Conv2D(6, 3, groups=2), NORM(center=False), keras.layers.ReLU()],
        [keras.layers.Conv2D(6, 1, padding="same"), NORM()],
        [keras.layers.Conv2D(6, 1, strides=2), NORM()],
        [keras.layers.DepthwiseConv2D(3, strides=2, padding="same"), NORM()],
        [keras.layers.DepthwiseConv2D(3, depth_multiplier=2), NORM(epsilon=0.1)],
    ],
    ids=[
        "strides",
        "bias",
        "groups",
        "of a pixel",
        "of every other pixel",
        "depthwise",
        "multiplier",
    ],
)
def test_a_fused_network_gives_and_learns_the_same(layers: list[keras.Layer]) -> None:
    model = make_network(*layers)
    fused = fuse_frozen_norms(model)
    assert count_fused(fused) == 1
    wanted = [model(PICTURES, training=False), *find_gradients(model)]
    found = [fused(PICTURES, training=True), *find_gradients(fused)]
    for one, other in zip(wanted, found, strict=True):
        np.testing.assert_allclose(other, one, rtol=1e-4, atol=1e-5)


def find_gradients(model: keras.Model) -> list[np.ndarray]:
    """How the weights move in one step."""
    start = [np.array(weight) for weight in model.trainable_variables]
    model.compile(keras.optimizers.SGD(0.1), "mse")
    model.train_on_batch(PICTURES, np.ones((5, *model.output_shape[1:]), np.float32))
    moved = [
        np.array(weight) - old for weight, old in zip(model.trainable_variables, start, strict=True)
    ]
    for weight, old in zip(model.trainable_variables, start, strict=True):
        weight.assign(old)
    assert all(np.abs(step).max() > 0 for step in moved)
    return moved


def test_variables_and_names_are_those_of_the_model_in_their_order() -> None:
    inputs = keras.Input((9, 9, 4))
    sides = [keras.layers.Conv2D(3, 1, name=f"side{n}")(inputs) for n in range(2)]
    model = join(inputs, keras.layers.Concatenate()([NORM()(side) for side in sides]))
    fused = fuse_frozen_norms(model)
    assert count_fused(fused) == 2
    assert [id(weight) for weight in fused.weights] == [id(weight) for weight in model.weights]
    assert [layer.name for layer in fused.layers[1:]] == [layer.name for layer in model.layers[1:]]
    assert fused.count_params() == model.count_params()


def test_statistics_that_change_later_count() -> None:
    model = make_network(keras.layers.Conv2D(6, 3), norm := NORM())
    fused = fuse_frozen_norms(model)
    norm.moving_mean.assign(norm.moving_mean + 3.0)
    np.testing.assert_allclose(fused(PICTURES), model(PICTURES), rtol=1e-4, atol=1e-5)


def branch(inputs: keras.KerasTensor) -> keras.KerasTensor:
    made = keras.layers.Conv2D(3, 1)(inputs)
    return keras.layers.Concatenate()([NORM()(made), made])


def repeat(inputs: keras.KerasTensor) -> keras.KerasTensor:
    shared = keras.layers.Conv2D(4, 1)
    return NORM()(shared(shared(inputs)))


@pytest.mark.parametrize(
    "call",
    [
        lambda inputs: NORM()(keras.layers.Conv2D(3, 1, activation="relu")(inputs)),
        lambda inputs: NORM()(keras.layers.ReLU()(keras.layers.Conv2D(3, 1)(inputs))),
        lambda inputs: NORM(axis=1)(keras.layers.Conv2D(3, 1)(inputs)),
        branch,
        repeat,
    ],
    ids=["activation", "between", "axis", "used twice", "called twice"],
)
def test_what_cannot_be_fused_stays(call) -> None:
    inputs = keras.Input((9, 9, 4))
    model = join(inputs, call(inputs))
    assert fuse_frozen_norms(model) is model


def test_a_normalization_that_is_trained_stays() -> None:
    model = make_network(keras.layers.Conv2D(6, 3), norm := NORM())
    norm.trainable = True
    assert fuse_frozen_norms(model) is model


def test_every_normalization_of_mobilenet_is_computed_within_a_convolution() -> None:
    model = keras.applications.MobileNet(include_top=False, weights=None, input_shape=(32, 32, 3))
    randomize(model)
    for layer in model.layers:
        layer.trainable = not isinstance(layer, NORM)
    assert count_fused(fuse_frozen_norms(model)) == 27
