"""Mixup: rows and labels are mixed alike, and a training on them can be killed and go on."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from graft.parameters.training import TrainingParameters
from graft.training.backup import TrainingBackup
from graft.training.devices import seed_everything
from graft.training.fitting import fit
from graft.training.losses import make_loss
from graft.training.mixup import MixedRows
from graft.training.shuffling import ArrayReader, RowPools
from graft.training.watching import Recorder

CLASSES = 3
LABELS = np.arange(60) % CLASSES


def make_rows(dtype: str = "float32", alpha: float = 0.4) -> MixedRows:
    """The value of a row is a hundred times its class."""
    values = (100 * LABELS[:, None]).astype(dtype)
    rows, weights = np.arange(60), np.linspace(0.5, 1.5, 60, dtype=np.float32)
    plain = RowPools(ArrayReader(values.__getitem__), rows, LABELS, weights)
    return MixedRows(plain, alpha, CLASSES)


@pytest.mark.parametrize("dtype", ["float32", "float16", "uint8"])
def test_a_row_and_its_label_are_mixed_in_the_same_share(dtype: str) -> None:
    ((inputs, shares, weights),) = make_rows(dtype).draw(np.random.default_rng(0))
    assert inputs.dtype == dtype
    assert shares.shape == (60, CLASSES)
    np.testing.assert_allclose(shares.sum(axis=1), 1, rtol=1e-6)
    np.testing.assert_allclose(inputs[:, 0], 100 * shares @ np.arange(CLASSES), atol=0.51)
    # Some are mixed, and none has become more of another than of itself.
    assert (shares.max(axis=1) < 0.99).sum() > 5
    assert (shares.max(axis=1) >= 0.5 - 1e-6).all()
    own = 100 * shares.argmax(axis=1) == inputs[:, 0]
    assert own.sum() > 5
    assert len(np.unique(weights)) == 60


def test_the_same_pass_is_the_same_and_another_is_not() -> None:
    def draw(number: int) -> np.ndarray:
        return next(make_rows().draw(np.random.default_rng([0, number])))[1]

    np.testing.assert_array_equal(draw(1), draw(1))
    assert not np.array_equal(draw(1), draw(2))
    plain = next(make_rows().draw())[1]
    np.testing.assert_array_equal(plain, np.eye(CLASSES)[LABELS])
    assert make_rows(alpha=0.4).fingerprint() != make_rows(alpha=0.5).fingerprint()


def test_the_loss_of_shares_is_the_mean_of_the_losses_of_their_classes() -> None:
    probabilities = np.array([[0.2, 0.5, 0.3]], np.float32)
    loss = make_loss("sparse_categorical_crossentropy", CLASSES, 0.0, takes_shares=True)
    mixed = np.asarray(loss(np.array([[0.75, 0.25, 0.0]], np.float32), probabilities))
    np.testing.assert_allclose(mixed, -(0.75 * np.log(0.2) + 0.25 * np.log(0.5)), rtol=1e-5)
    np.testing.assert_allclose(np.asarray(loss(np.array([2]), probabilities)), -np.log(0.3), 1e-5)


class Killed(BaseException):
    """As by a signal."""


def test_a_killed_training_on_mixed_rows_ends_with_the_same_bytes(tmp_path, monkeypatch) -> None:
    settings = TrainingParameters(learning_rate=0.05, batch_size=16, epochs=4, patience=9, seed=0)
    dev = make_rows()._source

    def train(folder) -> list[bytes]:
        seed_everything(0)
        inputs = keras.Input((1,))
        scaled = keras.layers.Rescaling(0.01)(inputs)
        model = keras.Model(inputs, keras.layers.Dense(CLASSES, activation="softmax")(scaled))
        model.set_weights([np.zeros((1, CLASSES)), np.zeros(CLASSES)])
        backup = TrainingBackup(folder, seconds=0)
        history = fit(model, make_rows(), dev, settings, backup=backup)
        assert history["accuracy"].between(0, 1).all()
        return [history.to_csv().encode(), *(w.tobytes() for w in model.get_weights())]

    undisturbed = train(tmp_path / "undisturbed")
    record, seen = Recorder.on_epoch_end, []

    def kill(recorder: Recorder, epoch: int, logs=None) -> None:
        record(recorder, epoch, logs)
        seen.append(epoch)
        if len(seen) == 2:
            raise Killed

    monkeypatch.setattr(Recorder, "on_epoch_end", kill)
    with pytest.raises(Killed):
        train(tmp_path / "killed")
    assert train(tmp_path / "killed") == undisturbed
    assert seen == [0, 1, 2, 3]
