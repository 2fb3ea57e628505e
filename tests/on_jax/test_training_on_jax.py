"""JAX trains as TensorFlow does, and as Keras' own loop does on JAX."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import keras
import numpy as np
import pytest

from graft.backends import jax_epochs
from graft.backends.backend import Epochs, load_backend
from graft.backends.jax_epochs import EpochRunner
from graft.training.devices import seed_everything
from graft.training.shuffling import ArrayReader, RowPools
from helpers import backends

RANDOM = np.random.default_rng(0)
ROWS = RANDOM.normal(size=(22, 5)).astype(np.float32)
CLASSES = (ROWS.sum(axis=1) > 0).astype(np.int64)
WEIGHTS = RANDOM.uniform(0.5, 2, 22).astype(np.float32)
EPOCHS = Epochs(batch_size=8, seed=3, planned=3, first=0, last=3, dev_rows=16)


@pytest.fixture(scope="module")
def by_tensorflow(tmp_path_factory: pytest.TempPathFactory) -> dict[str, np.ndarray]:
    """What TensorFlow makes of the trainings of :mod:`helpers.backends`."""
    file = tmp_path_factory.mktemp("tensorflow") / "found.npz"
    subprocess.run(
        [sys.executable, "-m", "helpers.backends", str(file)],
        cwd=Path(backends.__file__).parents[1], check=True, capture_output=True,
        env={**os.environ, "KERAS_BACKEND": "tensorflow"},
    )  # fmt: skip
    return dict(np.load(file))


@pytest.fixture(scope="module")
def by_jax() -> dict[str, dict[str, np.ndarray]]:
    """What JAX makes of them, by way."""
    return {way: backends.train(way) for way in backends.WAYS}


@pytest.mark.parametrize("way", backends.WAYS)
def test_a_training_ends_as_on_tensorflow(
    way: str,
    by_tensorflow: dict[str, np.ndarray],
    by_jax: dict[str, dict[str, np.ndarray]],
) -> None:
    found = by_jax[way]
    for name, tolerance in {"history": 1e-4, "probabilities": 1e-4, "heat": 1}.items():
        expected = by_tensorflow[f"{way}.{name}"]
        np.testing.assert_allclose(found[name].astype(float), expected, rtol=0, atol=tolerance)


def test_the_same_seed_gives_the_same_bytes(by_jax: dict[str, dict[str, np.ndarray]]) -> None:
    second = backends.train("views")
    for name, value in by_jax["views"].items():
        assert value.tobytes() == second[name].tobytes()


def test_rows_that_do_not_stay_on_the_device_train_the_same(by_jax, monkeypatch) -> None:
    monkeypatch.setattr(jax_epochs, "_HELD_BYTES", 0)
    monkeypatch.setattr(jax_epochs, "_CHUNK_BYTES", 1)  # a step a chunk
    sent = backends.train("views")
    for name, value in by_jax["views"].items():
        np.testing.assert_allclose(
            value.astype(float), sent[name], atol=1e-6 if name != "heat" else 1
        )


def build(*, is_mixing: bool) -> keras.Model:
    """A network with dropout; its normalization takes the statistics of a batch if asked to."""
    seed_everything(0)
    layers = [keras.Input((5,)), keras.layers.Dense(6, activation="relu")]
    if is_mixing:
        layers.append(keras.layers.BatchNormalization())
    layers += [keras.layers.Dropout(0.3, seed=1), keras.layers.Dense(2, activation="softmax")]
    model = keras.Sequential(layers)
    model.compile(
        keras.optimizers.Adam(1e-2), "sparse_categorical_crossentropy",
        weighted_metrics=[keras.metrics.SparseCategoricalAccuracy(name="accuracy")],
    )  # fmt: skip
    return model


def make_pools() -> RowPools:
    return RowPools(ArrayReader(ROWS.__getitem__), np.arange(22), CLASSES, WEIGHTS)


def fit_by_keras(model: keras.Model, pools: RowPools) -> list[dict[str, float]]:
    """The same batches through Keras' own loop, an epoch a call."""
    logs = []
    for epoch in range(EPOCHS.last):

        def batches(epoch: int = epoch) -> Iterator[tuple[np.ndarray, ...]]:
            ((rows, labels, weights),) = pools.draw(EPOCHS.draw_order(epoch))
            for start in range(0, len(rows), EPOCHS.batch_size):
                part = slice(start, start + EPOCHS.batch_size)
                yield rows[part], labels[part].astype(np.int32), weights[part]

        done = model.fit(
            batches(), verbose=0, steps_per_epoch=3, shuffle=False,
            validation_data=(ROWS, CLASSES.astype(np.int32), WEIGHTS), validation_batch_size=16,
        )  # fmt: skip
        logs.append({name: values[0] for name, values in done.history.items()})
    return logs


@pytest.fixture(scope="module")
def by_keras() -> dict[bool, tuple[keras.Model, list[dict[str, float]]]]:
    """The networks that Keras' own loop has trained and what it told, by whether rows mix."""
    models = {is_mixing: build(is_mixing=is_mixing) for is_mixing in (False, True)}
    return {mixes: (model, fit_by_keras(model, make_pools())) for mixes, model in models.items()}


@pytest.mark.parametrize("is_mixing", [False, True], ids=["rows apart", "batch statistics"])
@pytest.mark.parametrize("watches_steps", [False, True])
def test_epochs_go_as_those_of_keras(is_mixing: bool, watches_steps: bool, by_keras) -> None:
    class Watch(keras.callbacks.Callback):
        def __init__(self) -> None:
            super().__init__()
            self.watches_steps, self.logs, self.steps = watches_steps, [], 0

        def on_train_batch_end(self, batch, logs=None) -> None:
            self.steps += 1

        def on_epoch_end(self, epoch, logs=None) -> None:
            self.logs.append(dict(logs))

    expected, told = by_keras[is_mixing]
    model, watch = build(is_mixing=is_mixing), Watch()
    load_backend().run_epochs(model, make_pools(), make_pools(), EPOCHS, [watch])
    for mine, theirs in zip(model.get_weights(), expected.get_weights(), strict=True):
        np.testing.assert_allclose(mine, theirs, atol=1e-5)
    for mine, theirs in zip(watch.logs, told, strict=True):
        assert mine == pytest.approx(theirs, abs=1e-5)
    # All steps between two looks are one: of statistics of a batch, the short last one is apart.
    assert watch.steps == (9 if watches_steps else 6 if is_mixing else 3)


def test_who_looks_at_steps_is_seen_by_its_methods_unless_it_says_so() -> None:
    class Looks(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None) -> None:
            """Look."""

    model = build(is_mixing=False)
    for callback, expected in ((Looks(), True), (keras.callbacks.EarlyStopping(), False)):
        runner = EpochRunner(model, make_pools(), None, EPOCHS, [callback])
        assert runner._is_stepwise is expected


def test_a_callback_can_end_a_training_at_a_step() -> None:
    class Stop(keras.callbacks.Callback):
        seen = 0

        def on_train_batch_end(self, batch, logs=None) -> None:
            self.seen += 1
            self.model.stop_training = self.seen == 2

    stop = Stop()
    load_backend().run_epochs(build(is_mixing=False), make_pools(), None, EPOCHS, [stop])
    assert stop.seen == 2
