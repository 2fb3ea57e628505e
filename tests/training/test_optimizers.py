"""Optimizers: every layer moves by its own learning rate."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from graft.parameters.training import TrainingParameters
from graft.training.optimizers import OPTIMIZERS, decay_by_block, make_optimizer, penalise_kernels

FACTORS = {"low": 0.25, "high": 0.5}


def declare(**changes):
    settings = {"learning_rate": 0.1, "batch_size": 4, "epochs": 6, "patience": 2, "seed": 0}
    return TrainingParameters(**settings | changes)


@pytest.fixture
def model():
    names = ["low", "high", "head"]
    layers = [keras.layers.Dense(2, name=name, kernel_initializer="ones") for name in names]
    return keras.Sequential([keras.Input((2,)), *layers])


def take_steps(model, rate_factors, gradients, **changes):
    """Change of every variable after steps of the same gradients."""
    optimizer = make_optimizer(model, declare(**changes), 0.1, rate_factors)
    before = [np.array(variable) for variable in model.trainable_variables]
    for _ in range(3):
        optimizer.apply([keras.ops.convert_to_tensor(gradient) for gradient in gradients])
    return [np.array(v) - b for v, b in zip(model.trainable_variables, before, strict=True)]


def draw_gradients(model):
    generator = np.random.default_rng(0)
    return [generator.normal(size=v.shape).astype("float32") for v in model.trainable_variables]


def test_plain_descent_moves_every_layer_by_gradient_times_its_rate(model):
    optimizer = keras.optimizers.SGD(0.1)
    gradients = draw_gradients(model)
    moves = take_steps(model, FACTORS, gradients, optimizer="sgd")
    # With momentum 0.9, three equal gradients g move by g + 1.9 g + 2.71 g.
    factors = [0.25, 0.25, 0.5, 0.5, 1.0, 1.0]
    for move, gradient, factor in zip(moves, gradients, factors, strict=True):
        np.testing.assert_allclose(move, -0.1 * factor * 5.61 * gradient, rtol=1e-5)
    assert optimizer.learning_rate == 0.1


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_factor_scales_the_move_of_every_optimizer(name, model):
    gradients = draw_gradients(model)
    start = model.get_weights()
    plain = take_steps(model, None, gradients, optimizer=name)
    model.set_weights(start)
    scaled = take_steps(model, FACTORS, gradients, optimizer=name)
    for one, other, factor in zip(plain, scaled, [0.25, 0.25, 0.5, 0.5, 1, 1], strict=True):
        np.testing.assert_allclose(other, factor * one, rtol=1e-3, atol=1e-6)


def test_decay_apart_from_the_loss_follows_the_rate_of_the_layer_and_spares_biases(model):
    for layer in model.layers:
        layer.bias.assign([1.0, 1.0])
    gradients = [np.zeros(v.shape, "float32") for v in model.trainable_variables]
    moves = take_steps(model, FACTORS, gradients, optimizer="adamw", weight_decay=0.2)
    for kernel, bias, factor in zip(moves[::2], moves[1::2], [0.25, 0.5, 1.0], strict=True):
        np.testing.assert_allclose(kernel, (1 - 0.1 * factor * 0.2) ** 3 - 1, rtol=1e-4)
        np.testing.assert_array_equal(bias, 0)


def test_a_long_gradient_is_shortened_all_layers_together(model):
    gradients = [np.full(v.shape, 10.0, "float32") for v in model.trainable_variables]
    optimizer = make_optimizer(model, declare(optimizer="sgd", clip_norm=1.0), 0.1)
    before = np.concatenate([v.ravel() for v in model.get_weights()])
    optimizer.apply([keras.ops.convert_to_tensor(gradient) for gradient in gradients])
    move = np.concatenate([v.ravel() for v in model.get_weights()]) - before
    assert np.linalg.norm(move) == pytest.approx(0.1, rel=1e-5)


def test_rates_fall_towards_the_input_block_by_block():
    factors = decay_by_block([["a", "b"], ["c"], ["d"]], 0.5)
    assert factors == {"a": 0.125, "b": 0.125, "c": 0.25, "d": 0.5}


def test_a_factor_of_a_layer_that_is_not_there_is_refused(model):
    with pytest.raises(ValueError, match="no such layer: middle"):
        make_optimizer(model, declare(), 0.1, {"middle": 0.5})


def test_the_penalty_is_on_kernels_alone(model):
    penalised = penalise_kernels(model, declare(weight_decay=0.01))
    assert [variable.path for variable in penalised] == [
        layer.kernel.path for layer in model.layers
    ]
    assert float(sum(model.losses)) == pytest.approx(0.01 * 3 * 4)


def test_with_adamw_there_is_no_penalty_in_the_loss(model):
    assert penalise_kernels(model, declare(optimizer="adamw", weight_decay=0.01)) == []
