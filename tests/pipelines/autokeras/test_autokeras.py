"""AutoKeras as a candidate: two tiny networks tried, and a classifier as all the others are."""

from __future__ import annotations

import sys
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pytest

from graft.errors import GraftError
from graft.parameters.base import TrainSampleParameters
from graft.pipelines.autokeras.nodes import import_autokeras, search_with_autokeras
from graft.pipelines.autokeras.parameters import AutoKerasParameters
from graft.pipelines.candidates import measure_cost, predict_pictures
from graft.training.backup import TrainingBackup

PARAMETERS = AutoKerasParameters(
    image_size=16,
    grey=True,
    block="vanilla",
    pretrained=False,
    trials=2,
    minutes=5,
    epochs=1,
    batch_size=4,
    seed=1,
)


def test_two_tiny_networks(tmp_path: Path, splits: pd.DataFrame) -> None:
    pytest.importorskip("autokeras", reason="the extra 'autokeras' is not installed")
    images = np.random.default_rng(0).integers(0, 100, (len(splits), 20, 20, 3), dtype=np.uint8)
    images[splits["label_index"] == 1] += 100
    backup = TrainingBackup(tmp_path / "backup")
    classifier, history = search_with_autokeras(
        images, splits, ["dark", "light"], backup, PARAMETERS
    )
    assert classifier.input_shape == (None, 20, 20, 3)
    assert classifier.output_shape == (None, 2)
    assert history.columns.tolist() == [
        "epoch", "loss", "accuracy", "dev_loss", "dev_accuracy", "learning_rate",
    ]  # fmt: skip
    assert len(history) >= 1
    sample = TrainSampleParameters(pictures=4, seed=0)
    table = predict_pictures(classifier, images, splits, ["dark", "light"], sample)
    probabilities = table[["probability_dark", "probability_light"]].to_numpy()
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-5)
    assert measure_cost(classifier)["parameters"] > 0
    # The file opens with Keras alone.
    assert {type(layer).__module__.partition(".")[0] for layer in _list_layers(classifier)} == {
        "keras"
    }
    # Nothing is left of what was tried, here or in the working folder.
    assert not (backup.folder / "trials").exists()
    assert not Path("auto_model").exists()


def _list_layers(model: keras.Model) -> list[keras.Layer]:
    return [layer for layer in model._flatten_layers() if not isinstance(layer, keras.Model)]


def test_without_it_one_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "autokeras", None)
    with pytest.raises(GraftError, match=r"install the extra: pip install .*\[autokeras\]"):
        import_autokeras()
