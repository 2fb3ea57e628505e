"""Training: the best epoch stays, runs repeat bit for bit, killed ones go on, failures are told."""

from __future__ import annotations

import functools
import json
import os
import random
import shutil
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

import graft
from graft.errors import GraftError
from graft.models.heads import build_head
from graft.parameters.training import TrainingParameters
from graft.training.backup import TrainingBackup
from graft.training.devices import seed_everything
from graft.training.fitting import fit
from graft.training.shuffling import ArrayReader, RowPools
from helpers.told import read_told

DIMENSION = 20


def make_pools(features, labels, pool_rows=1000):
    rows = np.arange(len(labels))
    weights, pool_bytes = np.ones(len(rows), np.float32), pool_rows * features[0].nbytes
    return RowPools(ArrayReader(features.__getitem__), rows, labels, weights, pool_bytes)


def draw_task(count, spread, seed):
    """Two clouds of points; the wider the spread, the more they overlap."""
    generator = np.random.default_rng(seed)
    labels = np.arange(count) % 2
    centres = np.where(labels[:, None] == 1, 1.0, -1.0)
    features = centres + spread * generator.normal(size=(count, DIMENSION))
    return features.astype("float32"), labels


def train(
    spread=1.0,
    data=None,
    backup=None,
    logs=None,
    outputs=None,
    rate_factors=None,
    pool_rows=1000,
    **changes,
):
    settings = TrainingParameters(
        **{
            "learning_rate": 0.05,
            "batch_size": 8,
            "epochs": 6,
            "patience": 10,
            "seed": 0,
        }
        | changes
    )
    seed_everything(settings.seed)
    head = build_head(DIMENSION, 2, 0.2, 0.0, settings.seed, outputs)
    dev = draw_task(40, spread, seed=2)
    pools = [make_pools(*rows, pool_rows) for rows in (data or draw_task(40, spread, seed=1), dev)]
    history = fit(head, *pools, settings, backup=backup, logs=logs, rate_factors=rate_factors)
    return head, history, dev


def get_bytes(head):
    return b"".join(np.asarray(weight).tobytes() for weight in head.weights)


@pytest.fixture(scope="module")
def easy():
    return train(spread=0.5, epochs=3)


def test_the_history_has_a_row_an_epoch(easy):
    history = easy[1]
    columns = ["epoch", "loss", "accuracy", "dev_loss", "dev_accuracy", "learning_rate"]
    assert list(history.columns) == columns
    assert history["epoch"].tolist() == [1, 2, 3]
    assert set(history["learning_rate"]) == {0.05}


def test_an_easy_task_is_learnt(easy):
    history = easy[1]
    assert history["dev_accuracy"].iloc[-1] == 1
    assert history["dev_loss"].iloc[-1] < history["dev_loss"].iloc[0] < np.log(2)


def test_the_model_stays_as_it_was_but_for_its_weights(easy):
    head = easy[0]
    assert not head.compiled
    assert head.losses == []


# So much noise and so large steps that the loss on dev soon rises.
NOISY = {"spread": 6.0, "learning_rate": 0.3}


def test_training_stops_when_dev_stops_getting_better_and_the_best_epoch_stays():
    head, history, (features, labels) = train(**NOISY, epochs=30, patience=2)
    best = history["dev_loss"].idxmin()
    assert len(history) == best + 1 + 2 < 30
    probabilities = np.asarray(head(features))
    loss = -np.log(probabilities[np.arange(len(labels)), labels]).mean()
    assert loss == pytest.approx(history["dev_loss"][best], rel=1e-3)


@pytest.fixture(scope="module")
def on_a_plateau():
    """A training that does not get better after its first epochs, and ends before its patience."""
    plateau = {"schedule": "reduce_on_plateau", "reduce_after": 1, "reduce_factor": 0.5}
    return train(**NOISY, epochs=8, patience=10, **plateau)


def test_a_training_shorter_than_its_patience_has_all_its_epochs_and_the_best_one_stays(
    on_a_plateau,
):
    head, history, (features, labels) = on_a_plateau
    assert len(history) == 8
    best = history["dev_loss"].idxmin()
    assert best < 7
    probabilities = np.asarray(head(features))
    loss = -np.log(probabilities[np.arange(len(labels)), labels]).mean()
    assert loss == pytest.approx(history["dev_loss"][best], rel=1e-3)


def test_two_runs_with_the_same_seed_are_bit_identical(ended):
    # The first one had a backup and callbacks too, which only look on.
    (first, first_history, _), _ = ended
    (again, again_history, _), (other, _, _) = (train(seed=seed, epochs=2) for seed in (0, 4))
    assert get_bytes(first) == get_bytes(again)
    assert first_history.equals(again_history)
    assert get_bytes(first) != get_bytes(other)


@functools.cache
def train_by(loss, label_smoothing=0.0):
    """A training by a loss, which says how many outputs there are."""
    outputs = 1 if loss == "binary_crossentropy" else 2
    return train(
        epochs=3, weight_decay=0.1, loss=loss, outputs=outputs, label_smoothing=label_smoothing
    )


@pytest.mark.parametrize("loss", ["sparse_categorical_crossentropy", "binary_crossentropy"])
def test_beside_smoothed_labels_losses_are_told_of_the_labels_as_they_are(loss):
    head, history, (features, labels) = train_by(loss, label_smoothing=0.3)
    probabilities = np.asarray(head(features))
    measured = -np.log(probabilities[np.arange(len(labels)), labels]).mean()
    assert measured == pytest.approx(history["dev_loss"].min(), rel=1e-3)
    # On labels of 0.85 and 0.15 no prediction comes below their entropy.
    least = -0.85 * np.log(0.85) - 0.15 * np.log(0.15)
    assert history[["loss", "dev_loss"]].iloc[-1].max() < least
    # Smoothed labels are learnt nonetheless: nothing is as sure as where they are not.
    sure, _, _ = train_by(loss)
    assert probabilities.max(axis=1).mean() < np.asarray(sure(features)).max(axis=1).mean()


@pytest.mark.parametrize("seed", [0, pytest.param(1, marks=pytest.mark.slow)])
def test_rows_that_lie_class_by_class_in_many_pools_teach_what_they_teach_in_one(seed):
    features, labels = draw_task(40, 1.0, seed=1)
    by_class = np.argsort(labels, kind="stable")
    data = features[by_class], labels[by_class]
    one, several = (
        train(data=data, seed=seed, epochs=2, pool_rows=pool_rows) for pool_rows in (40, 6)
    )
    assert get_bytes(one[0]) == get_bytes(several[0])
    assert one[1].equals(several[1])


def test_weight_decay_is_in_the_loss_and_keeps_weights_small():
    little, penalised = train_by("sparse_categorical_crossentropy"), train(epochs=3, weight_decay=1)
    norms = [np.linalg.norm(head.get_weights()[0]) for head, _, _ in (little, penalised)]
    assert norms[1] < norms[0] / 2
    assert penalised[0].losses == []


def test_one_output_learns_what_two_outputs_learn():
    _, history, _ = train_by("binary_crossentropy")
    assert history["dev_accuracy"].iloc[-1] == 1


def test_a_rate_on_a_plateau_falls_and_the_history_shows_it(on_a_plateau):
    rates = on_a_plateau[1]["learning_rate"]
    assert rates.iloc[0] == pytest.approx(0.3)
    assert rates.iloc[-1] <= 0.15
    assert rates.is_monotonic_decreasing


def test_the_history_has_the_rate_of_the_last_step_of_a_schedule_by_step():
    _, history, _ = train(epochs=4, schedule="step", reduce_after=2, reduce_factor=0.5)
    np.testing.assert_allclose(history["learning_rate"], [0.05, 0.05, 0.025, 0.025])


# A feature without end gives a loss that is no number either.
@pytest.mark.parametrize("strange", [np.nan, pytest.param(np.inf, marks=pytest.mark.slow)])
def test_a_loss_that_is_no_number_ends_the_training_at_its_step(strange):
    features, labels = draw_task(40, 1.0, seed=1)
    features[:, 3] = strange
    message = (
        r"^the loss is no longer a number at step 1 of epoch 1, at a learning rate of 0\.05; "
        r"lower training\.learning_rate, or set clip_norm; got 0\.05$"
    )
    with pytest.raises(GraftError, match=message):
        train(data=(features, labels))


def test_the_last_good_weights_are_kept_when_the_loss_breaks(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "explosive.py").write_text(
        "def schedule(epoch, rate): return 0.05 if epoch < 2 else 1e38\n"
    )
    backup = TrainingBackup(tmp_path / "backup", seconds=1000)
    message = r"no longer a number at step \d of epoch 3, at a learning rate of 1e\+38; the "
    with pytest.raises(GraftError, match=message + rf"weights after epoch 2 .*'{backup.folder}'"):
        train(backup=backup, schedule="explosive.schedule")
    [path] = backup.folder.glob("*.npz")
    with np.load(path) as archive:
        assert len(json.loads(archive["facts"].tobytes())["history"]) == 2
        assert all(np.isfinite(archive[name]).all() for name in archive)


ALARM = """
import keras

class Alarm(keras.callbacks.Callback):
    armed_for = None

    def __init__(self):
        super().__init__()
        self.seen = 0

    def on_epoch_begin(self, epoch, logs=None):
        self.seen += 1
        if epoch == Alarm.armed_for:
            raise KeyboardInterrupt
"""
WATCHED = {"callbacks": ({"class": "alarm.Alarm"}, {"class": "csv_logger"})}


@pytest.fixture(scope="module")
def alarm(tmp_path_factory):
    """The callback of :data:`WATCHED` that can interrupt a training."""
    folder = tmp_path_factory.mktemp("alarm")
    (folder / "alarm.py").write_text(ALARM)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)
        import alarm

        yield alarm.Alarm
    sys.modules.pop("alarm", None)


@pytest.fixture
def interrupt(alarm, tmp_path, monkeypatch):
    """Train, be interrupted before an epoch, and train again with the same command."""
    backup = TrainingBackup(tmp_path / "backup", seconds=0)

    def run(epoch, **changes):
        monkeypatch.setattr(alarm, "armed_for", epoch)
        with pytest.raises(KeyboardInterrupt):
            train(backup=backup, logs=tmp_path / "resumed", **WATCHED, **changes)
        monkeypatch.setattr(alarm, "armed_for", None)
        return train(backup=backup, logs=tmp_path / "resumed", **WATCHED, **changes)

    return run


COSINE = {"schedule": "cosine", "warmup_share": 0.2, "optimizer": "adamw"}
RUNS = {
    "plateau": {"schedule": "reduce_on_plateau", "reduce_after": 1, "epochs": 7},
    "cosine": COSINE,
    "early stop": {**NOISY, "epochs": 30, "patience": 2},
    "many pools": {"pool_rows": 7},
    "cosine, many pools": {**COSINE, "pool_rows": 7},
}
QUICK = ("cosine, many pools",)


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param(RUNS[name], id=name, marks=[pytest.mark.slow] * (name not in QUICK))
        for name in RUNS
    ],
)
def test_an_interrupted_training_ends_as_an_undisturbed_one(changes, interrupt, tmp_path):
    resumed = interrupt(2, **changes)
    undisturbed = train(logs=tmp_path / "undisturbed", **WATCHED, **changes)
    assert get_bytes(resumed[0]) == get_bytes(undisturbed[0])
    assert resumed[1].equals(undisturbed[1])
    logs = [tmp_path / name / "csv_logger/epochs.csv" for name in ("resumed", "undisturbed")]
    assert logs[0].read_bytes() == logs[1].read_bytes()


@pytest.fixture(scope="module")
def ended(alarm, tmp_path_factory):
    """A training of two epochs that has ended, and the folder of its backups."""
    folder = tmp_path_factory.mktemp("ended")
    backup = TrainingBackup(folder / "backup")
    return train(epochs=2, backup=backup, logs=folder / "logs", **WATCHED), backup.folder


def test_a_training_that_had_ended_is_not_done_again(ended, tmp_path, caplog, monkeypatch):
    first, folder = ended
    backup = TrainingBackup(shutil.copytree(folder, tmp_path / "backup"))
    monkeypatch.setattr(keras.Model, "fit", None)
    with caplog.at_level("INFO"):
        again = train(epochs=2, backup=backup, logs=tmp_path / "logs", **WATCHED)
    assert "this training has ended before" in caplog.text
    assert get_bytes(first[0]) == get_bytes(again[0])
    assert first[1].equals(again[1])


@pytest.mark.parametrize("change", ["settings", "data", "factors", "code"])
def test_a_backup_of_another_training_is_not_used(
    change, ended, alarm, tmp_path, caplog, monkeypatch
):
    backup = TrainingBackup(shutil.copytree(ended[1], tmp_path / "backup"))
    features, labels = draw_task(40, 1.0, seed=1)
    features[-1, -1] += 1
    if change == "code":
        monkeypatch.setattr("graft.training.fitting.fingerprint_code", lambda _: "changed")
    changes = {
        "code": {},
        "settings": {"learning_rate": 0.06},
        "data": {"data": (features, labels)},
        "factors": {"rate_factors": {"probabilities": 0.5}},
    }[change]
    # It comes to its first epoch, where it is interrupted.
    monkeypatch.setattr(alarm, "armed_for", 0)
    with caplog.at_level("INFO"), pytest.raises(KeyboardInterrupt):
        train(epochs=2, backup=backup, logs=tmp_path / "logs", **WATCHED, **changes)
    assert read_told(caplog)[-1].endswith("this one starts anew")


def test_a_second_training_into_the_same_folder_is_refused(tmp_path):
    with (
        TrainingBackup(tmp_path).hold(),
        pytest.raises(GraftError, match=rf"held by process {os.getpid()}"),
    ):
        train(backup=TrainingBackup(tmp_path))


@pytest.mark.parametrize(
    ("name", "kills"),
    [
        pytest.param("head", 2, marks=pytest.mark.slow),
        pytest.param("head", 5, marks=pytest.mark.slow),
        pytest.param("race", 20, marks=pytest.mark.slow),
    ],
)
def test_kills_make_no_difference(name: str, kills: int):
    # Real processes, SIGKILL at random moments, a backup after every epoch.
    root = Path(__file__).parents[2]
    outcome = subprocess.run(
        [sys.executable, root / "benchmarks/resume.py", "--kills", str(kills), "--only", name],
        env={**os.environ, "PYTHONPATH": str(Path(graft.__file__).parents[1])},
        capture_output=True,
        text=True,
        check=False,
    )
    result = json.loads(outcome.stdout.splitlines()[-1])[name]
    counts = (result["kills"], result["resumed"], result["identical"])
    assert counts == (kills, kills, kills), outcome.stderr


def test_everything_random_is_seeded():
    def draw():
        seed_everything(5)
        return random.random(), np.random.rand(), float(keras.random.normal(()))  # noqa: NPY002 - the old generator is seeded too

    assert draw() == draw()
