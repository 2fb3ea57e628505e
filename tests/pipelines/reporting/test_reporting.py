"""The report: what all stages after the training found, on one page."""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from typing import Any, get_type_hints

import numpy as np
import pandas as pd
import pytest
from kedro.io import DataCatalog, MemoryDataset
from kedro.pipeline import Pipeline
from kedro.runner import SequentialRunner

from graft.datasets import FigureDataset
from graft.datasets.features import FeatureTable
from graft.parameters.base import BackboneParameters, TrainSampleParameters
from graft.pipeline_registry import JUDGING, create_stage
from graft.pipelines.candidates import measure_cost, predict_from_features
from graft.pipelines.reporting.pipeline import FIGURES
from graft.reporting.style import draw_note
from graft.settings import CONFIG_LOADER_ARGS
from graft.text_values import TextKeepingConfigLoader
from helpers.classifiers import build_steep_head, look_up_classifier

CONF = Path(__file__).parents[3] / "conf"
CLASSES = ["dark", "light"]
CANDIDATES = ("frozen", "fine_tuned")
TRAINING_FIGURES = [f"{name}.training_curves" for name in CANDIDATES] + [
    "augmented_pictures", "recipe_race_curves",
]  # fmt: skip
RACE = pd.DataFrame(
    {"runner": ["head", "all"], "rung": [1.0, 0.2], "epochs": [0, 6], "steps": [0, 60],
     "dev_accuracy": [1.0, 0.5], "log_loss": [0.1, 0.6], "passes": [0.0, 20.0],
     "kept": [True, False]}
)  # fmt: skip
HISTORY = pd.DataFrame(
    {"epoch": [1, 2], "loss": [1, 0.5], "accuracy": [0.5, 1], "dev_loss": [1, 0.6],
     "dev_accuracy": [0.5, 1]}
)  # fmt: skip
SECTIONS = [
    "figures", "comparison", "recipes", "error_breakdown", "wrong", "classes", "confusion",
    "label_issues", "calibration", "curves", "training", "split", "champion", "sources",
]  # fmt: skip


def read_parameters(pipeline: Pipeline) -> dict[str, Any]:
    """The parameters of the test environment, each as the type that its node wants."""
    loader = TextKeepingConfigLoader(str(CONF), env="test", **CONFIG_LOADER_ARGS)
    given = loader["parameters"]
    made = {}
    for node in pipeline.nodes:
        names = list(inspect.signature(node.func).parameters)
        inputs = node._inputs
        pairs = (
            inputs.items() if isinstance(inputs, dict) else zip(names, node.inputs, strict=False)
        )
        for argument, dataset in pairs:
            if dataset.startswith("params:"):
                type_ = get_type_hints(node.func).get(argument, dict)
                values = given[dataset.removeprefix("params:")]
                made[dataset] = values if type_ in (dict, dict[str, Any]) else type_(**values)
    return made


@pytest.fixture
def catalog(features: FeatureTable, splits: pd.DataFrame, tmp_path: Path) -> DataCatalog:
    """All that the stages after the training read; the classifiers are never wrong."""
    head = build_steep_head(features)
    classifier, images = look_up_classifier(features, head)
    predictions = predict_from_features(
        features, head, splits, CLASSES, TrainSampleParameters(pictures=6, seed=0)
    )
    pipeline = sum(map(create_stage, JUDGING), start=Pipeline([]))
    inputs = {
        **read_parameters(pipeline),
        "params:backbone": BackboneParameters(
            name="small_cnn", weights="random", image_size=8, seed=0
        ),
        "features": features, "splits": splits, "class_names": CLASSES,
        "images": images, "image_index": splits,
        **{f"{name}.classifier": classifier for name in CANDIDATES},
        **{f"{name}.history": HISTORY for name in CANDIDATES},
        **{f"{name}.cost": measure_cost(classifier) for name in CANDIDATES},
        **dict.fromkeys((f"{name}.predictions" for name in CANDIDATES), predictions),
        "quarantined_images": pd.DataFrame({"image_id": ["x"], "reason": ["empty"]}),
        "split_check": {"pairs": 0, "leaking": 0, "set_aside": [], "moved": []},
        "split_summary": pd.DataFrame({"label": ["dark"], "split": ["train"], "deviation": [0.0]}),
        "applied_reviews": pd.DataFrame({"image_id": pd.Series([], dtype="str")}),
        "previous_test_evaluations": None,
        "forward_exports": None,
        "recipe_race": RACE,
        "fine_tuned_recipe": {"recipe": "head", "chosen_among": 2, "dev_accuracy": 1.0},
    }  # fmt: skip
    catalog = DataCatalog(
        {name: MemoryDataset(value, copy_mode="assign") for name, value in inputs.items()}
        | {
            name: FigureDataset(filepath=str(tmp_path / f"{name}.png"))
            for name in (*FIGURES, *TRAINING_FIGURES)
        }
    )
    for name in TRAINING_FIGURES:
        catalog.save(name, draw_note(name))
    SequentialRunner().run(pipeline, catalog)
    return catalog


def test_from_classifiers_to_the_report(catalog: DataCatalog) -> None:
    page = catalog.load("report")
    anchors = re.findall(r'<h2 id="([^"]+)"', page)
    assert [anchor for anchor in anchors if anchor in SECTIONS] == SECTIONS
    assert "4</b> pictures that it had never seen" in page
    for link in re.findall(r'href="#([^"]+)"', page):
        assert f'id="{link}"' in page
    assert len(page) < 5_000_000
    champion = catalog.load("champion")
    probabilities = champion.predict(catalog.load("images")[:2])
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-5)
