"""Training: the best epoch stays, two runs are bit-identical, and what fails is told."""

from __future__ import annotations

import random

import keras
import numpy as np
import pytest
from sklearn.utils.class_weight import compute_class_weight

from graft.errors import GraftError
from graft.models.feature_batches import FeaturePools
from graft.models.heads import build_head
from graft.models.runtime import seed_everything
from graft.models.training import CLASS_WEIGHTS, train_head, weigh_pictures

DIMENSION = 20


class Table:
    """Features in memory, in blocks of 16 rows."""

    dimension = DIMENSION

    def __init__(self, features):
        self._features = features
        self.blocks = [(n, min(n + 16, len(features))) for n in range(0, len(features), 16)]

    def __len__(self):
        return len(self._features)

    def read_block(self, number):
        return self._features[slice(*self.blocks[number])]


def make_pools(features, labels, pool_rows=1000):
    rows = np.arange(len(labels))
    return FeaturePools(Table(features), rows, labels, np.ones(len(rows), np.float32), pool_rows)


def draw_task(count, spread, seed):
    """Two clouds of points; the wider the spread, the more they overlap."""
    generator = np.random.default_rng(seed)
    labels = np.arange(count) % 2
    centres = np.where(labels[:, None] == 1, 1.0, -1.0)
    features = centres + spread * generator.normal(size=(count, DIMENSION))
    return features.astype("float32"), labels


def train(seed=0, spread=1.0, epochs=6, learning_rate=0.05, patience=10, dropout=0.2, **changes):
    seed_everything(seed)
    head = build_head(DIMENSION, 2, dropout, weight_decay=0.0, seed=seed)
    data = {"train": draw_task(40, spread, seed=1), "dev": draw_task(40, spread, seed=2)}
    history = train_head(
        head,
        make_pools(*{**data, **changes}["train"]),
        make_pools(*data["dev"]),
        learning_rate,
        batch_size=8,
        epochs=epochs,
        patience=patience,
        seed=seed,
    )
    return head, history, data["dev"]


@pytest.fixture(scope="module")
def easy_history():
    return train(spread=0.5, epochs=3)[1]


def test_the_history_has_a_row_an_epoch(easy_history):
    columns = ["epoch", "loss", "accuracy", "dev_loss", "dev_accuracy"]
    assert list(easy_history.columns) == columns
    assert easy_history["epoch"].tolist() == [1, 2, 3]


def test_an_easy_task_is_learnt(easy_history):
    assert easy_history["dev_accuracy"].iloc[-1] == 1
    assert easy_history["dev_loss"].iloc[-1] < easy_history["dev_loss"].iloc[0] < np.log(2)


def test_the_weights_of_the_best_epoch_stay():
    # So much noise and so large steps that the loss on dev soon rises.
    head, history, (features, labels) = train(spread=6.0, epochs=12, learning_rate=0.3)
    best = history["dev_loss"].idxmin()
    assert best < len(history) - 1
    probabilities = head(features).numpy()
    loss = -np.log(probabilities[np.arange(len(labels)), labels]).mean()
    assert loss == pytest.approx(history["dev_loss"][best], rel=1e-3)


def test_training_stops_when_dev_stops_getting_better():
    _, history, _ = train(spread=6.0, epochs=30, learning_rate=0.3, patience=2)
    assert len(history) == history["dev_loss"].idxmin() + 1 + 2 < 30


def get_bytes(head):
    return b"".join(weight.numpy().tobytes() for weight in head.weights)


def test_two_runs_with_the_same_seed_are_bit_identical():
    (first, first_history, _), (again, again_history, _), (other, _, _) = (
        train(seed=seed, epochs=3) for seed in (3, 3, 4)
    )
    assert get_bytes(first) == get_bytes(again)
    assert first_history.equals(again_history)
    assert get_bytes(first) != get_bytes(other)


@pytest.mark.parametrize("strange", [np.nan, np.inf])
def test_a_loss_that_is_no_number_is_refused(strange):
    features, labels = draw_task(40, 1.0, seed=1)
    features[7, 3] = strange
    with pytest.raises(GraftError, match=r"no longer a number in epoch 1; lower .*; got 0\.05$"):
        train(train=(features, labels))


def test_steps_far_too_large_are_refused():
    with pytest.raises(GraftError, match=r"head_training\.learning_rate; got 1e\+38$"):
        train(learning_rate=1e38, epochs=20)


LABELS = np.array([0, 0, 0, 1])


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        ("none", [1, 1, 1, 1]),
        ("balanced", [2 / 3, 2 / 3, 2 / 3, 2]),
        ("sqrt", [0.845299, 0.845299, 0.845299, 1.464102]),
    ],
)
def test_weights_counted_by_hand(policy, expected):
    weights = weigh_pictures(LABELS, 2, policy)
    np.testing.assert_allclose(weights, expected, rtol=1e-6)
    assert weights.dtype == np.float32


@pytest.mark.parametrize("policy", CLASS_WEIGHTS)
def test_the_mean_weight_is_1_so_that_the_learning_rate_means_the_same(policy):
    labels = np.repeat([0, 1, 2], [100, 7, 1])
    assert weigh_pictures(labels, 3, policy).mean() == pytest.approx(1, rel=1e-6)


@pytest.mark.parametrize("policy", CLASS_WEIGHTS)
def test_classes_of_equal_size_weigh_the_same(policy):
    np.testing.assert_allclose(weigh_pictures(np.arange(9) % 3, 3, policy), 1, rtol=1e-6)


def test_balanced_weights_are_those_of_scikit_learn():
    labels = np.repeat([0, 1, 2], [50, 20, 3])
    expected = compute_class_weight("balanced", classes=np.arange(3), y=labels)[labels]
    np.testing.assert_allclose(weigh_pictures(labels, 3, "balanced"), expected, rtol=1e-6)


def test_everything_random_is_seeded():
    def draw():
        seed_everything(5)
        return random.random(), np.random.rand(), float(keras.random.normal(()))  # noqa: NPY002 - the old generator is seeded too

    assert draw() == draw()
