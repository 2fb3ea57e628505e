"""Repeated training: every time as if the network had been built anew."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from graft.models.heads import build_head
from graft.training.devices import seed_everything
from graft.training.heads_on_features import RepeatedTraining

INPUTS = np.random.default_rng(0).normal(size=(10, 6)).astype("float32")
LABELS = (INPUTS[:, 0] > 0).astype(int)


def make_training():
    seed_everything(0)
    return RepeatedTraining(lambda seed: build_head(6, 2, 0.3, 0.0, seed), learning_rate=0.1)


def train(training, seed, steps=8, batch_size=4):
    training.train(INPUTS, LABELS, steps, batch_size, seed)
    return b"".join(weight.numpy().tobytes() for weight in training._model.weights)


@pytest.fixture(scope="module")
def training():
    return make_training()


def test_a_training_is_not_touched_by_the_one_before_it():
    training = make_training()
    fresh = train(training, seed=1)
    train(training, seed=2, steps=20)
    assert train(training, seed=1) == fresh


def test_a_new_object_repeats_the_bits(training):
    assert train(training, seed=1) == train(make_training(), seed=1)


def test_another_seed_trains_another_network(training):
    assert train(training, seed=1) != train(training, seed=2)


@pytest.mark.parametrize("steps", [1, 5])
def test_it_trains_for_just_so_many_steps(training, steps):
    train(training, seed=0, steps=20)
    train(training, seed=0, steps=steps)
    assert int(training._model.optimizer.iterations) == steps


def test_fewer_pictures_than_a_batch_are_one_batch(training):
    assert train(training, seed=0, batch_size=64) == train(training, seed=0, batch_size=10)


def test_an_easy_task_is_learnt(training):
    train(training, seed=0, steps=60)
    np.testing.assert_array_equal(training.classify(INPUTS), LABELS)


@pytest.mark.parametrize("count", [1, 64, 65, 200])
def test_any_number_of_pictures_is_classified(training, count):
    train(training, seed=0)
    inputs = np.resize(INPUTS, (count, 6))
    model_says = keras.ops.convert_to_numpy(training._model(inputs)).argmax(axis=1)
    np.testing.assert_array_equal(training.classify(inputs), model_says)
