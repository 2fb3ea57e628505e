"""Heads of all folds at once are the heads that Keras' fit trains, one after the other."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from graft.errors import GraftError
from graft.models.heads import build_head
from graft.parameters.training import HeadTrainingParameters
from graft.search.head_trials import FoldData, FoldHeads, HeadRunner, refuse_untrainable
from graft.training.devices import seed_everything
from graft.training.fitting import fit
from graft.training.shuffling import ArrayReader, RowPools

PARAMETERS = HeadTrainingParameters(
    dropout=0.0, learning_rate=0.01, weight_decay=1e-3, label_smoothing=0.1, batch_size=8,
    epochs=30, patience=3, class_weights="balanced", seed=5,
)  # fmt: skip


@pytest.fixture(scope="module")
def data() -> FoldData:
    """Three overlapping classes of 45 + 20 pictures; folds of unequal size."""
    random = np.random.default_rng(0)
    labels = np.concatenate([np.zeros(30, int), np.ones(20, int), np.full(15, 2)])
    random.shuffle(labels)
    vectors = random.normal(size=(65, 12)).astype(np.float32)
    vectors[np.arange(65), labels] += 1.5
    folds = np.repeat([0, 1, 2], [17, 15, 13])
    random.shuffle(folds)
    return FoldData(
        vectors[:45], labels[:45], np.ones(45, np.float32), folds, vectors[45:], labels[45:], 3
    )


@pytest.mark.parametrize(
    ("hidden_units", "fold", "label_smoothing"),
    [
        (0, 0, 0.1),
        (6, 2, 0.0),
        pytest.param(0, 2, 0.0, marks=pytest.mark.slow),
        pytest.param(6, 0, 0.1, marks=pytest.mark.slow),
    ],
)
def test_they_are_those_of_fit(
    data: FoldData, hidden_units: int, fold: int, label_smoothing: float
) -> None:
    changes = {"hidden_units": hidden_units, "label_smoothing": label_smoothing}
    parameters = PARAMETERS.model_copy(update=changes)
    outcome = FoldHeads(data).train(parameters)
    seed_everything(parameters.seed)
    head = build_head(12, 3, 0.0, 0.0, parameters.seed, hidden_units=hidden_units)
    rows = np.flatnonzero(data.folds != fold)
    train = RowPools(
        ArrayReader(data.vectors.__getitem__), rows, data.labels[rows],
        FoldHeads(data)._weigh(parameters)[fold],
    )  # fmt: skip
    dev = RowPools(
        ArrayReader(data.dev_vectors.__getitem__), np.arange(20), data.dev_labels,
        np.ones(20, np.float32),
    )  # fmt: skip
    history = fit(head, train, dev, parameters)
    assert 3 < len(history) < 30  # it was stopped
    for mine, theirs in zip(outcome.variables, head.get_weights(), strict=True):
        np.testing.assert_allclose(mine[fold], theirs, rtol=1e-3, atol=1e-4)
    here = data.folds == fold
    np.testing.assert_allclose(
        outcome.probabilities[here],
        keras.ops.convert_to_numpy(head(data.vectors[here])),
        atol=1e-4,
    )


def test_a_trial_leaves_nothing_to_the_next(data: FoldData) -> None:
    heads, other = FoldHeads(data), PARAMETERS.model_copy(update={"dropout": 0.5})
    first = heads.train(other)
    heads.train(PARAMETERS)
    again = heads.train(other)
    np.testing.assert_array_equal(first.probabilities, again.probabilities)
    assert not np.array_equal(first.probabilities, heads.train(PARAMETERS).probabilities)


def test_dropout_drops_its_share_and_keeps_the_mean() -> None:
    from graft.search.head_trials import _choose_kept

    noise = np.random.default_rng(0).integers(0, 256, 100_000).astype(np.uint8)
    kept = np.asarray(_choose_kept(noise, np.int32(64)))
    assert (kept == 0).mean() == pytest.approx(0.25, abs=0.01)
    assert kept.mean() == pytest.approx(1, abs=0.01)


def test_a_trial_below_the_bar_is_given_up(data: FoldData) -> None:
    runner = HeadRunner(data, PARAMETERS)
    slow = {"head_training.learning_rate": 1e-4}
    trial = runner.run(1, slow, bars=[1.1])
    assert trial.reason == "below the median after 5 epochs"
    assert trial.right is None
    assert len(trial.steps) == 1
    assert runner.run(1, slow, bars=[0.0]).right is not None


def test_a_rate_that_breaks_is_told(data: FoldData) -> None:
    broken = PARAMETERS.model_copy(update={"learning_rate": 1e38, "optimizer": "sgd"})
    runner = HeadRunner(data, PARAMETERS.model_copy(update={"optimizer": "sgd"}))
    trial = runner.run(4, {"head_training.learning_rate": 1e38}, bars=[])
    assert trial.reason == "its loss is no longer a number"
    with pytest.raises(GraftError, match=r"lower head_training.learning_rate; got 1e\+38"):
        HeadRunner(data, broken).run(0, None, bars=[])


@pytest.mark.parametrize(
    ("name", "value"),
    [("schedule", "cosine"), ("optimizer", "adamw"), ("clip_norm", 1.0), ("outputs", 1)],
)
def test_what_it_cannot_train_is_refused(name: str, value: object) -> None:
    refuse_untrainable(PARAMETERS)
    with pytest.raises(GraftError, match=rf"head_training\.{name} .*; got {value!r}"):
        refuse_untrainable(PARAMETERS.model_copy(update={name: value}))
