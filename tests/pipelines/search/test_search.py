"""The stage: three trials from features to a page and an environment that Kedro can load."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from kedro.io import DataCatalog, DatasetError, MemoryDataset
from kedro.runner import SequentialRunner
from kedro_datasets.json import JSONDataset

from graft.datasets import CSVDataset
from graft.datasets.environments import (
    Basis,
    EnvironmentDataset,
    FoundEnvironment,
    choose_basis,
    make_files,
)
from graft.datasets.features import FeatureTable
from graft.datasets.figures import FigureDataset, HTMLDataset
from graft.errors import GraftError
from graft.parameters.fine_tuning import FineTuningParameters
from graft.parameters.from_scratch import ScratchTrainingParameters
from graft.parameters.training import HeadTrainingParameters
from graft.pipelines.search.nodes import describe_environment, search_networks, search_recipes
from graft.pipelines.search.parameters import SearchParameters
from graft.pipelines.search.pipeline import create_pipeline
from graft.search import spaces
from graft.search.spaces import SPACES, choose_space
from graft.settings import CONFIG_LOADER_ARGS
from graft.text_values import TextKeepingConfigLoader
from graft.training.backup import TrainingBackup

pytest.importorskip("optuna", reason="the extra 'search' is not installed")
CLASSES = ["dark", "light"]
HEAD = HeadTrainingParameters(
    dropout=0.2, learning_rate=0.01, weight_decay=0, batch_size=4, epochs=4, patience=2, seed=0
)
SEARCH = SearchParameters(space="head", trials=3, minutes=None, folds=2, workers=1, seed=0)
ROOT = Path(__file__).parents[3]


@pytest.fixture(autouse=True)
def forget(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test leaves its space or its environment to the next."""
    monkeypatch.setattr(spaces, "_chosen", "head")
    monkeypatch.setattr("graft.datasets.environments._basis", Basis())


def _run(tmp_path: Path, features: FeatureTable, splits: pd.DataFrame, *wanted: str) -> DataCatalog:
    """Runs the stage, or what of it is needed for the outputs that are wanted."""
    data = {
        "features": features, "splits": splits, "class_names": CLASSES,
        "search_backup": TrainingBackup(tmp_path / "search_backup"),
        "params:head_training": HEAD, "params:search": SEARCH,
    }  # fmt: skip
    figures = ("search_history", "search_slices", "search_coordinates")
    catalog = DataCatalog(
        {name: MemoryDataset(value, copy_mode="assign") for name, value in data.items()}
        | {name: FigureDataset(filepath=str(tmp_path / f"{name}.png")) for name in figures}
        | {"search_environment": EnvironmentDataset(filepath=str(tmp_path / "conf/searched"))}
        | {
            "search_trials": CSVDataset(
                filepath=str(tmp_path / "trials.csv"), save_args={"index": False}
            ),
            "search_verdict": JSONDataset(filepath=str(tmp_path / "verdict.json")),
            "search_page": HTMLDataset(filepath=str(tmp_path / "search.html")),
        }
    )
    pipeline = create_pipeline()
    SequentialRunner().run(pipeline.to_outputs(*wanted) if wanted else pipeline, catalog)
    return catalog


@pytest.fixture(scope="module")
def known() -> list[tuple[Path, DataCatalog]]:
    """The run of :func:`finished`, once it was made."""
    return []


@pytest.fixture
def finished(
    known, tmp_path_factory: pytest.TempPathFactory, features: FeatureTable, splits: pd.DataFrame
) -> tuple[Path, DataCatalog]:
    """The folder of a first run, and what it has made."""
    if not known:
        folder = tmp_path_factory.mktemp("finished")
        known.append((folder, _run(folder, features, splits)))
    return known[0]


def test_three_trials_from_features_to_a_page(
    finished: tuple[Path, DataCatalog], features: FeatureTable, splits: pd.DataFrame
) -> None:
    folder, catalog = finished
    trials, verdict = catalog.load("search_trials"), catalog.load("search_verdict")
    assert trials["trial"].tolist() == [0, 1, 2]
    assert trials["head_training.learning_rate"].iloc[0] == HEAD.learning_rate
    assert trials["head_training.weight_decay"].iloc[0] == 0
    assert trials["head_training.learning_rate"].nunique() == 3
    assert (verdict["trials"], verdict["pictures"], verdict["importances"]) == (3, 10, {})
    assert verdict["default"] == trials["accuracy"].iloc[0]
    page = catalog.load("search_page")
    assert page.count("data:image/png") == 3
    assert "importances of so few contradict each other" in page
    assert "http" not in page
    files = catalog.load("search_environment")
    text = files["parameters_head_training.yml"]
    assert text.startswith("# Written by `kedro run --pipelines=search`, trial ")
    found = yaml.safe_load(text)["head_training"]
    HeadTrainingParameters.model_validate({**HEAD.model_dump(), **found})
    # A second run knows the trials, and has the same outputs to the byte.
    again = _run(folder, features, splits)
    pd.testing.assert_frame_equal(again.load("search_trials"), trials)
    assert again.load("search_verdict") == verdict
    assert again.load("search_page") == page


def test_the_labels_of_test_make_no_difference(
    finished: tuple[Path, DataCatalog], tmp_path: Path, features: FeatureTable,
    splits: pd.DataFrame,
) -> None:  # fmt: skip
    lies = splits.copy()
    lies.loc[lies["split"] == "test", "label_index"] = 0
    misled = _run(tmp_path, features, lies, "search_trials")
    pd.testing.assert_frame_equal(misled.load("search_trials"), finished[1].load("search_trials"))


def test_a_space_needs_what_it_trains_on() -> None:
    needs = {}
    for space in SPACES:
        choose_space({"search": {"space": space}})
        needs[space] = create_pipeline().inputs()
    assert "features" in needs["head"]
    assert "images" not in needs["head"]
    assert {"backbone", "images", "fine_tuned_recipe"} <= needs["recipes"]
    assert "features" not in needs["network"]
    outputs = [create_pipeline().all_outputs() for _ in SPACES]
    assert outputs[0] == outputs[1] == outputs[2]


def _make_images(splits: pd.DataFrame) -> np.ndarray:
    images = np.random.default_rng(0).integers(0, 100, (len(splits), 8, 8, 3), dtype=np.uint8)
    images[splits["label_index"] == 1] += 100
    return images


@pytest.mark.slow
def test_networks_from_scratch_are_searched(tmp_path: Path, splits: pd.DataFrame) -> None:
    scratch = ScratchTrainingParameters(
        network="none", activation="relu", initializer="he_normal", l1=0, l2=0, batch_size=4,
        learning_rate=0.01, epochs=2, patience=2, seed=0,
        architecture={"image_size": 16, "filters": 4, "dense_units": 0},
    )  # fmt: skip
    search = SEARCH.model_copy(update={"space": "network", "trials": 2})
    trials, verdict = search_networks(
        _make_images(splits), splits, CLASSES, TrainingBackup(tmp_path), scratch, search
    )
    assert trials["from_scratch.architecture.filters"].iloc[0] == 4
    assert trials["from_scratch.architecture.blocks"].tolist()[1] in (2, 3, 4)
    # What is written names the network that takes these layers, and is what the stage takes.
    written = verdict["parameters"]["from_scratch"]
    assert written["network"] == "tunable"
    merged = {**scratch.model_dump(), **written}
    assert ScratchTrainingParameters.model_validate(merged).architecture.blocks >= 2


@pytest.mark.slow
def test_recipes_of_fine_tuning_are_searched(tmp_path: Path, splits: pd.DataFrame) -> None:
    from graft.datasets.features import FeatureBlock, FeatureShardsDataset
    from graft.models.backbones import build_backbone

    images = _make_images(splits)
    backbone = build_backbone("small_cnn", 8, "random", seed=0)
    before = backbone.get_weights()
    keys = pd.DataFrame(
        {"image_id": splits["image_id"], "image_sha256": splits["image_id"], "view": np.int16(0)}
    )
    store = FeatureShardsDataset(filepath=str(tmp_path / "features"))
    store.save([FeatureBlock(keys, backbone.predict(images, verbose=0))])
    augmentation = {
        "rotation": 5, "zoom": 0, "shift": 0, "shear": 0, "horizontal_flip": False,
        "fill_mode": "nearest", "brightness": 0, "contrast": 0,
    }  # fmt: skip
    shared = {
        "activation_cache": True, "activation_dtype": "float16", "activation_batch_size": 4,
        "augmentation": augmentation, "batch_size": 4, "seed": 0,
    }  # fmt: skip
    tuning = FineTuningParameters(recipe="custom", epochs=1, patience=1, unfreeze=1, **shared)
    # The length of a trial is a rule, here of two steps and not of 500.
    from graft.search import network_trials

    monkeypatch = pytest.MonkeyPatch()
    monkeypatch.setattr(network_trials, "count_epochs", lambda *_: 1)
    monkeypatch.setattr(network_trials, "count_repeats", lambda *_: 1)
    search = SEARCH.model_copy(update={"space": "recipes", "trials": 2})
    try:
        trials, verdict = search_recipes(
            store.load(), backbone, images, {}, splits, CLASSES,
            TrainingBackup(tmp_path / "backup"), HEAD, tuning, search,
        )  # fmt: skip
    finally:
        monkeypatch.undo()
    assert 0 < trials["fine_tuning.depth"].iloc[0] < 1
    assert trials["fine_tuning.learning_rate"].nunique() == 2
    for mine, theirs in zip(backbone.get_weights(), before, strict=True):
        np.testing.assert_array_equal(mine, theirs)
    written = verdict["parameters"]["fine_tuning"]
    FineTuningParameters.model_validate({**tuning.model_dump(), **written})


FOUND = FoundEnvironment(
    {"head_training": {"learning_rate": 0.005, "hidden_units": 32}}, ["Found by a search."]
)


def test_an_environment_is_the_one_it_was_found_in_with_what_was_found() -> None:
    given = {"source": "my/pictures", "head_training": {"batch_size": 8}}
    basis = Basis(ROOT / "conf/test", given, frozenset({"source", "dataset"}))
    files = make_files(FOUND, basis)
    assert files["catalog_ingestion.yml"] == (ROOT / "conf/test/catalog_ingestion.yml").read_text()
    assert yaml.safe_load(files["globals.yml"]) == {"dataset": "test", "source": "my/pictures"}
    head = yaml.safe_load(files["parameters_head_training.yml"])["head_training"]
    assert head == {"epochs": 5, "patience": 2, "learning_rate": 0.005, "hidden_units": 32}
    comment = files["parameters_head_training.yml"].splitlines()[:2]
    assert comment[0] == "# Found by a search."
    assert "to be given again: {'head_training': {'batch_size': 8}}" in comment[1]


def test_an_environment_loads_as_kedro_loads_it(project: Path) -> None:
    choose_basis(Basis(project / "conf/test"))
    EnvironmentDataset(filepath=str(project / "conf/searched")).save(FOUND)
    loader = TextKeepingConfigLoader(str(project / "conf"), env="searched", **CONFIG_LOADER_ARGS)
    assert loader["globals"]["dataset"] == "test"
    parameters = HeadTrainingParameters.model_validate(loader["parameters"]["head_training"])
    assert (parameters.hidden_units, parameters.epochs) == (32, 5)
    assert loader["catalog"]["raw_images"]["limit"] == 200


def test_an_environment_of_a_person_is_never_written_over(tmp_path: Path) -> None:
    mine = tmp_path / "conf/mine"
    mine.mkdir(parents=True)
    (mine / "parameters.yml").write_text("head_training: {epochs: 3}\n")
    dataset = EnvironmentDataset(filepath=str(mine))
    with pytest.raises(DatasetError, match=r"--params search_environment=NAME.*; got 'mine'"):
        dataset.save(FOUND)
    assert (mine / "parameters.yml").read_text() == "head_training: {epochs: 3}\n"
    other = EnvironmentDataset(filepath=str(tmp_path / "conf/other"))
    other.save(FOUND)
    other.save(FOUND)  # its own it may
    (tmp_path / "conf/other/parameters_head_training.yml").write_text("mine now\n")
    with pytest.raises(DatasetError, match="was changed since") as error:
        other.save(FOUND)
    assert isinstance(error.value.__cause__, GraftError)  # told in one line


def test_a_default_that_is_kept_says_so() -> None:
    verdict = {
        "trials": 3, "winner": 1, "line": "the default is kept: …", "folds": 4, "pictures": 9,
        "is_taken": False, "parameters": {"head_training": {"dropout": 0.2}},
    }  # fmt: skip
    found = describe_environment(verdict, SEARCH)
    assert found.comment[-1].endswith("nothing is changed.")
    assert describe_environment({**verdict, "is_taken": True}, SEARCH).comment == found.comment[:-1]


@pytest.mark.slow
def test_the_environment_that_was_written_runs(finished_project: Path, run_kedro: Callable) -> None:
    outcome = run_kedro("--env=test", "--pipelines=search", "--params=search.trials=3",
                        folder=finished_project)  # fmt: skip
    assert outcome.code == 0, outcome.err
    assert "--env=searched" in outcome.out
    again = run_kedro("--env=test", "--pipelines=search", "--params=search.trials=3",
                      folder=finished_project)  # fmt: skip
    assert "nothing to do" in again.out
    outcome = run_kedro("--env=searched", "--pipelines=head_training", folder=finished_project)
    assert outcome.code == 0, outcome.err
