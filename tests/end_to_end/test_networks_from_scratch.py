"""Networks from scratch as a user meets them: one report for all models, valid environments."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from graft.parameters.from_scratch import ScratchTrainingParameters
from graft.pipelines.tabular.parameters import TabularParameters
from graft.pipelines.text_classification.parameters import TextParameters
from graft.settings import CONFIG_LOADER_ARGS
from graft.text_values import TextKeepingConfigLoader

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
def test_one_report_compares_transfer_with_a_network_from_scratch_on_grey_pictures(
    project: Path, run_kedro: Callable
) -> None:
    parameters = "from_scratch.network=gtsrb_simple,decoding.colour=lab_l"
    outcome = run_kedro("--env=test", "--params", parameters)
    assert outcome.code == 0, outcome.err
    assert outcome.err == ""
    assert "from-scratch" in outcome.out
    images = np.load(project / "data/05_model_input/test/images.npy", mmap_mode="r")
    assert images.shape[1:] == (8, 8, 1)
    reporting = project / "data/08_reporting/test"
    metrics = json.loads((reporting / "metrics.json").read_text())
    assert set(metrics) == {"frozen", "fine_tuned", "from_scratch"}
    comparison = json.loads((reporting / "comparison.json").read_text())
    assert [(pair["first"], pair["second"]) for pair in comparison["pairs"]] == [
        ("from_scratch", "frozen"),
        ("from_scratch", "fine_tuned"),
        ("frozen", "fine_tuned"),
    ]
    report = (reporting / "report.html").read_text()
    assert "Which model is better?" in report


def test_an_unknown_network_is_told_in_one_line(project: Path, run_kedro: Callable) -> None:
    outcome = run_kedro("--env=test", "--params", "from_scratch.network=resnet")
    assert outcome.code == 1
    assert "allowed are none, cats_vs_dogs_small" in outcome.error


@pytest.mark.parametrize(
    ("env", "size", "colour"),
    [
        ("mnist_sequential", 28, "rgb"),
        ("mnist_functional", 28, "rgb"),
        ("mnist_subclassed", 28, "rgb"),
        ("gtsrb_simple", 32, "lab_l"),
        ("gtsrb_improved", 32, "lab_l"),
        ("cats_vs_dogs_baseline", 224, "rgb"),
    ],
)
def test_an_environment_of_a_network_names_it_and_its_pictures(
    env: str, size: int, colour: str
) -> None:
    parameters = read_parameters(env)
    training = ScratchTrainingParameters.model_validate(parameters["from_scratch"])
    assert training.network == env.replace("baseline", "small")
    assert training.optimizer == ("sgd" if env == "gtsrb_simple" else "adam")
    decoding = parameters["decoding"]
    assert (decoding["image_size"], decoding["colour"]) == (size, colour)
    assert parameters["fine_tuning"]["unfreeze"] == "none"


def test_environments_of_texts_and_tables_are_valid() -> None:
    for env in ("imdb", "reuters"):
        TextParameters.model_validate(read_parameters(env)["text_classification"])
    for env, task in (("pima", "classification"), ("housing", "regression")):
        tabular = TabularParameters.model_validate(read_parameters(env)["tabular"])
        assert tabular.task == task


def read_parameters(env: str) -> dict[str, dict]:
    loader = TextKeepingConfigLoader(str(ROOT / "conf"), env=env, **CONFIG_LOADER_ARGS)
    return loader["parameters"]
