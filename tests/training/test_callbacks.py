"""Callbacks from parameters: what they write, and what is said of a wrong one."""

from __future__ import annotations

import keras
import numpy as np
import pandas as pd
import pytest

from graft.errors import GraftError
from graft.models.heads import build_head
from graft.parameters.training import TrainingParameters
from graft.training.callbacks import make_callbacks
from graft.training.devices import seed_everything

LOSSES = [0.5, 0.7, 0.3]


def make(callbacks, logs, model=None):
    settings = TrainingParameters(
        learning_rate=0.1, batch_size=4, epochs=3, patience=2, seed=0, callbacks=tuple(callbacks)
    )
    model = model or build_head(4, 2, 0.1, 0.0, seed=0)
    return make_callbacks(settings, logs, model, model)


def go_through(callback):
    """Three epochs whose loss on dev is given."""
    for epoch, loss in enumerate(LOSSES):
        callback.on_epoch_end(
            epoch, {"loss": 0.9, "accuracy": 0.5, "val_loss": loss, "val_accuracy": 0.5}
        )


def list_names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_none_are_made_where_none_are_declared(tmp_path):
    assert make([], None) == []
    assert make([], tmp_path) == []


def test_the_csv_has_a_row_an_epoch(tmp_path):
    [log] = make([{"class": "csv_logger"}], tmp_path)
    go_through(log)
    table = pd.read_csv(tmp_path / "csv_logger/epochs.csv")
    assert table["epoch"].tolist() == [1, 2, 3]
    assert table["dev_loss"].tolist() == LOSSES


def test_the_best_checkpoint_is_the_epoch_with_the_lowest_loss_on_dev(tmp_path):
    model = build_head(4, 2, 0.1, 0.0, seed=0)
    [checkpoint] = make([{"class": "model_checkpoint"}], tmp_path, model)
    kernel = model.get_layer("probabilities").kernel
    for epoch, loss in enumerate(LOSSES[:2]):
        kernel.assign(np.full((4, 2), epoch + 1.0))
        checkpoint.on_epoch_end(epoch, {"loss": 0.9, "val_loss": loss})
    folder = tmp_path / "model_checkpoint"
    assert list_names(folder) == ["best.keras"]
    saved = keras.models.load_model(folder / "best.keras")
    np.testing.assert_array_equal(saved.get_layer("probabilities").kernel, np.ones((4, 2)))


def test_checkpoints_are_named_by_epoch_and_loss(tmp_path):
    [checkpoint] = make([{"class": "model_checkpoint", "keep": "every"}], tmp_path)
    go_through(checkpoint)
    assert list_names(tmp_path / "model_checkpoint") == [
        "001-0.5000.keras",
        "002-0.7000.keras",
        "003-0.3000.keras",
    ]


def test_the_best_one_may_be_named_too_and_replaces_the_one_before(tmp_path):
    [checkpoint] = make(
        [{"class": "model_checkpoint", "name": "{epoch}_{dev_loss:.1f}_{accuracy:.0%}"}], tmp_path
    )
    go_through(checkpoint)
    assert list_names(tmp_path / "model_checkpoint") == ["3_0.3_50%.keras"]


def test_tensorboard_gets_losses_and_graph(tmp_path):
    seed_everything(0)  # as every stage does: an earlier test may have asked for determinism
    model = build_head(4, 2, 0.1, 0.0, seed=0)
    [board] = make([{"class": "tensorboard", "histogram_freq": 1}], tmp_path, model)
    model.compile("sgd", "sparse_categorical_crossentropy")
    inputs, labels = np.ones((6, 4), "float32"), np.arange(6) % 2
    model.fit(inputs, labels, validation_data=(inputs, labels), callbacks=[board], verbose=0)
    content = b"".join(
        path.read_bytes() for path in (tmp_path / "tensorboard").rglob("events.out.*")
    )
    assert b"epoch_loss" in content
    assert b"keras" in content
    assert list_names(tmp_path / "tensorboard") == ["train", "validation"]


@pytest.mark.parametrize("name", ["csv_logger", "model_checkpoint"])
def test_a_full_disk_is_told_in_one_line_and_leaves_what_was_there(name, tmp_path, monkeypatch):
    def fill_up(*_):
        raise OSError(28, "No space left on device")

    [callback] = make([{"class": name}], tmp_path)
    monkeypatch.setattr("os.replace", fill_up)
    with pytest.raises(GraftError, match=r"\(No space left on device\); free some space"):
        go_through(callback)
    assert list_names(tmp_path / name) == []


@pytest.fixture
def my_callbacks(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "my_callbacks.py").write_text(
        "import keras\n"
        "class Alarm(keras.callbacks.Callback):\n"
        "    def __init__(self, threshold):\n"
        "        super().__init__()\n"
        "        self.threshold = threshold\n"
        "class Notebook(keras.callbacks.Callback):\n"
        "    def __init__(self, folder):\n"
        "        super().__init__()\n"
        "        self.folder = folder\n"
        "class Bystander: pass\n"
    )


def test_a_class_of_ones_own_gets_its_arguments(my_callbacks, tmp_path):
    [alarm] = make([{"class": "my_callbacks.Alarm", "threshold": 3}], tmp_path)
    assert alarm.threshold == 3


def test_a_class_of_ones_own_that_takes_a_folder_gets_one(my_callbacks, tmp_path):
    [notebook] = make([{"class": "my_callbacks.Notebook"}], tmp_path / "logs")
    assert notebook.folder == tmp_path / "logs" / "Notebook"
    assert notebook.folder.is_dir()


def test_any_callback_of_keras_can_be_named(tmp_path):
    [callback] = make([{"class": "keras.callbacks.TerminateOnNaN"}], tmp_path)
    assert isinstance(callback, keras.callbacks.TerminateOnNaN)


@pytest.mark.parametrize(
    ("callback", "message"),
    [
        ({"class": "my_callbacks.Alrm"}, r"\[0\]: cannot import 'Alrm' from 'my_callbacks'.*src"),
        ({"class": "nowhere.Alarm"}, r"No module named 'nowhere'.*; got 'nowhere\.Alarm'$"),
        ({"class": "my_callbacks.Alarm", "treshold": 3}, r"TypeError: .*'treshold'.*; got {'tr"),
        ({"class": "my_callbacks.Bystander"}, r"class of keras.callbacks.Callback is needed; got"),
        ({"class": "model_checkpoint", "keep": "all"}, r"'best' or 'every'; got 'all'$"),
        ({"class": "model_checkpoint", "name": "{loss_on_dev}"}, r"name may hold {epoch}, .*; got"),
        ({"class": "model_checkpoint", "name": "../{epoch}"}, r"a file name, no path; got '\.\./"),
        ({"class": "tensorboard", "histogramm": 1}, r"callbacks\[0\]: 'tensorboard' cannot be"),
        ({"class": "csv_logger", "path": "/x"}, r"'csv_logger' cannot be made .* got {'path'"),
    ],
)
def test_a_wrong_one_is_told_in_one_line(callback, message, my_callbacks, tmp_path):
    with pytest.raises(GraftError, match=message) as refusal:
        make([callback], tmp_path)
    assert "\n" not in str(refusal.value)
