"""A champion that was not exported as ONNX is served all the same, and the log says by what."""

from __future__ import annotations

import logging
import shutil
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pytest

from graft.analysis.familiarity import fit_familiarity
from graft.classifier.champion import Champion, load_champion, save_champion
from graft.datasets.file_trees import FileTreeDataset
from graft.datasets.receipts import describe_state, write_receipt
from graft.errors import GraftError
from graft.models.led_out import lead_out_features
from graft.parameters.remembering import FamiliarityParameters
from graft.pipelines.export.nodes import export_champion
from graft.pipelines.export.parameters import ExportParameters
from graft.serving import by_keras
from graft.serving.engine import Engine, find_export

IMAGES = np.random.default_rng(0).integers(0, 256, (12, 8, 8, 3), np.uint8)
PARAMETERS = ExportParameters(
    formats=["saved_model", "litert"], checked_pictures=6, calibration_pictures=2,
    largest_difference=1e-4, repeats=1, seed=0,
    heat_map=False, nearest_pictures=0,
)  # fmt: skip
FAMILIARITY = FamiliarityParameters(
    pictures=6, neighbours=2, refused_share=0.05, batch_size=8, seed=0
)


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A champion, its receipt, and its export as SavedModel and LiteRT, as a project has them."""
    folder = tmp_path_factory.mktemp("models")
    keras.utils.set_random_seed(0)
    pixels = keras.Input((8, 8, 3), dtype="uint8", name="pixels")
    mapped = keras.layers.Conv2D(6, 3)(keras.layers.Rescaling(1 / 255)(pixels))
    flat = keras.layers.GlobalAveragePooling2D()(mapped)
    model = keras.Model(pixels, keras.layers.Dense(2, activation="softmax")(flat))
    features = lead_out_features(model).predict(IMAGES, verbose=0)[1]
    facts = {
        "name": "pets", "model": "frozen", "image_size": 8, "colour": "rgb", "max_pixels": 1000,
        "preprocessing": [], "temperature": 0.5, "threshold": None, "versions": {},
    }  # fmt: skip
    familiarity = fit_familiarity(features[:6], features[6:], 2, 0.05)
    champion = Champion(model, ["cat", "犬"], facts, {}, "", familiarity)
    save_champion(champion, folder / "champion")
    write_receipt(folder / "champion", describe_state(folder / "champion"))
    splits = pd.DataFrame({"split": ["train", "dev"] * 6, "label": ["cat", "cat", "犬", "犬"] * 3})
    splits["sha256"] = [f"{number}" for number in range(12)]
    files, _ = export_champion(champion, IMAGES, splits, PARAMETERS, FAMILIARITY)
    FileTreeDataset(filepath=str(folder / "exported")).save(files)
    return folder


@pytest.mark.parametrize("kind", ["champion", "exported/saved_model", "exported/litert"])
def test_it_answers_as_the_champion_does_and_says_by_what(models, kind, caplog) -> None:
    with caplog.at_level(logging.WARNING):
        model = Engine(models / kind, 1).model
    expected = load_champion(models / "champion").ask(IMAGES)
    findings, answers = model.ask(IMAGES)
    np.testing.assert_allclose(findings.probabilities, expected.probabilities, atol=1e-5)
    np.testing.assert_allclose(findings.distances, expected.distances, atol=1e-4)
    assert [one.name for one in answers] == [
        one.name for one in load_champion(models / "champion").explain(expected)
    ]
    what = "Keras" if kind == "champion" else "TensorFlow"
    assert f"by {what}, slower than as ONNX" in caplog.text
    assert "kedro run --pipelines=export" in caplog.text


def test_onnx_is_preferred_and_then_what_was_exported(models, tmp_path) -> None:
    assert find_export(models / "champion") == models / "exported/saved_model"
    assert find_export(models / "exported") == models / "exported/saved_model"
    assert find_export(models / "exported/litert") == models / "exported/litert"
    shutil.copytree(models / "champion", tmp_path / "champion")
    assert find_export(tmp_path) == find_export(tmp_path / "champion") == tmp_path / "champion"


def test_a_champion_is_served_only_as_it_was_saved(models, tmp_path) -> None:
    shutil.copytree(models, tmp_path / "models")
    champion = tmp_path / "models/champion"
    digest = Engine(champion, 1).model.exported.digest
    assert digest == Engine(models / "champion", 1).model.exported.digest
    names = champion / "class_names.json"
    names.write_text(names.read_text().replace("cat", "cow"))
    with pytest.raises(GraftError, match="must be as it was saved; make it again"):
        Engine(champion, 1)


def test_without_tensorflow_it_says_what_to_do(models, monkeypatch) -> None:
    monkeypatch.setattr(by_keras, "find_spec", lambda name: None)
    for kind in ("champion", "exported/litert"):
        with pytest.raises(GraftError, match=r"--pipelines=export`, or install what trains with"):
            Engine(models / kind, 1)
