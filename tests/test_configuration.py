"""The configuration holds together: every entry is used, documented by its layer, and portable."""

from __future__ import annotations

import re
import subprocess
from graphlib import TopologicalSorter
from importlib.metadata import PackageNotFoundError, metadata, requires
from pathlib import Path

import pandas as pd
import pytest
from kedro.config import OmegaConfigLoader
from kedro.framework.project import configure_project, pipelines
from kedro.io import AbstractDataset
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from graft.pipeline_registry import STAGES, create_stage
from graft.settings import CONFIG_LOADER_ARGS

ROOT = Path(__file__).parents[1]
LAYERS = {
    "raw": "01_raw",
    "intermediate": "02_intermediate",
    "primary": "03_primary",
    "feature": "04_feature",
    "model_input": "05_model_input",
    "models": "06_models",
    "model_output": "07_model_output",
    "reporting": "08_reporting",
}
ENVIRONMENTS = sorted(
    path.name for path in (ROOT / "conf").iterdir() if path.is_dir() and path.name != "local"
)


def _load(environment: str, what: str) -> dict:
    loader = OmegaConfigLoader(str(ROOT / "conf"), env=environment, **CONFIG_LOADER_ARGS)
    return loader[what]


@pytest.fixture(scope="module")
def registered() -> dict:
    configure_project("graft")
    return dict(pipelines)


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_every_entry_of_the_catalog_is_used_by_a_pipeline(
    environment: str, registered: dict
) -> None:
    used = set().union(*(pipeline.datasets() for pipeline in registered.values()))
    entries = set(_load(environment, "catalog"))
    data = {name for name in used if not name.startswith("params:")}
    assert entries == data


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_every_parameter_is_used_by_a_pipeline(environment: str, registered: dict) -> None:
    used = set().union(*(pipeline.datasets() for pipeline in registered.values()))
    assert {f"params:{name}" for name in _load(environment, "parameters")} == {
        name for name in used if name.startswith("params:")
    }


# Logs are handed to a training and lie where people look for reports; the champion is chosen by
# metrics, and lies with the models; features of the last run are read before the backbone is
# built. In the drawing all stand where the data flows.
ELSEWHERE = {"champion": "models", "former_features": "feature"}


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_every_entry_lies_in_the_folder_of_its_layer(environment: str) -> None:
    dataset = _load(environment, "globals")["dataset"]
    for name, entry in _load(environment, "catalog").items():
        layer = entry["metadata"]["kedro-viz"]["layer"]
        layer = "reporting" if name.endswith("_logs") else ELSEWHERE.get(name, layer)
        path = entry.get("filepath", "")
        if name.startswith("raw_") or path.startswith("src/graft/models/weights/"):
            continue
        folder = "printed_letters" if re.match("letter_|pretrain", name) else dataset
        assert path.startswith(f"data/{LAYERS[layer]}/{folder}/"), name


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_the_layers_form_no_circle(environment: str, registered: dict) -> None:
    layer_of = {
        name: entry["metadata"]["kedro-viz"]["layer"]
        for name, entry in _load(environment, "catalog").items()
    }
    before: dict[str, set[str]] = {}
    stages = {name: registered[name] for name in STAGES if name != "evaluation"}
    stages["evaluation"] = create_stage("evaluation")
    for name, stage in stages.items():
        read = set().union(*(other.inputs() for key, other in stages.items() if key != name))
        # A stage is one box: all that it reads comes before all of it that others see.
        sources = {layer_of[dataset] for dataset in stage.inputs() if dataset in layer_of}
        for made in stage.outputs() | (stage.all_outputs() & read):
            before.setdefault(layer_of[made], set()).update(sources - {layer_of[made]})
    TopologicalSorter(before).prepare()  # kedro-viz shows no layers at all if there is a circle


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_everything_but_raw_data_is_saved_atomically(environment: str) -> None:
    types = {
        name: entry["type"]
        for name, entry in _load(environment, "catalog").items()
        if entry["metadata"]["kedro-viz"]["layer"] != "raw"
    }
    former = {name for name in types if name.startswith("former_")}
    assert all(types[name] == "graft.datasets.FormerDataset" for name in former)
    # These two are written by the training while it goes on, each file in one step.
    folders = {"graft.datasets.LogFolderDataset", "graft.datasets.TrainingBackupDataset"}
    saved = {types[name] for name in types.keys() - former}
    assert saved - folders == {"graft.datasets.AtomicDataset"}


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_no_csv_file_for_people_can_hold_a_formula(environment: str) -> None:
    types = {
        entry["dataset"]["type"]
        for entry in _load(environment, "catalog").values()
        if entry.get("filepath", "").endswith(".csv") and "dataset" in entry
    }
    assert types <= {"graft.datasets.CSVDataset"}


@pytest.mark.parametrize(
    ("name", "column"),
    [
        ("quarantined_images", "image_id"),
        ("unlabelled_images", "image_id"),
        ("duplicates", "label"),
        ("label_conflicts", "other_label"),
        ("applied_verdicts", "new_label"),
        ("label_doubts", "suggested_label"),
        ("split_summary", "label"),
        ("class_summary", "label"),
        ("outliers", "label"),
        ("class_metrics", "class"),
    ],
)
def test_names_that_look_like_numbers_or_gaps_stay_text(
    name: str, column: str, tmp_path: Path
) -> None:
    entry = {**_load("base", "catalog")[name], "filepath": str(tmp_path / "table.csv")}
    dataset = AbstractDataset.from_config(name, entry)
    names = ["007", "NA", "1e5", "nan", "true"]
    dataset.save(pd.DataFrame({column: names}))
    assert dataset.load()[column].tolist() == names


def test_the_whole_way_begins_with_the_backbone(registered: dict) -> None:
    # Missing weights must be known before the first picture is read.
    assert registered["__default__"].nodes[0].name == "feature_extraction.build_backbone"


def test_nodes_are_named_after_their_functions(registered: dict) -> None:
    for pipeline in registered.values():
        for node in pipeline.nodes:
            assert node.name == f"{node.namespace}.{node.func.__name__}"


def test_only_stages_that_choose_nothing_by_it_read_the_test_split() -> None:
    readers = [
        path.relative_to(ROOT).parts[3]
        for path in (ROOT / "src/graft/pipelines").rglob("*.py")
        if re.search(r"""["']test["']""", path.read_text()) and path.name != "evaluation.py"
    ]
    assert set(readers) == {
        "calibration", "champion", "curves", "evaluation", "explanation", "reporting", "splitting"
    }  # fmt: skip


def test_what_is_pinned_goes_together() -> None:
    pins = dict(
        line.split("==")
        for line in (ROOT / "constraints.txt").read_text().splitlines()
        if not line.startswith("#")
    )
    pinned = {canonicalize_name(name): version for name, version in pins.items()}
    extras = {"", *metadata("graft").get_all("Provides-Extra", [])}
    for library in ("graft", *pinned):
        try:
            requirements = map(Requirement, requires(library) or [])
        except PackageNotFoundError:  # of an extra that is not installed here
            continue
        for requirement in requirements:
            wanted = any(
                requirement.marker is None or requirement.marker.evaluate({"extra": extra})
                for extra in (extras if library == "graft" else {""})
            )
            version = pinned.get(canonicalize_name(requirement.name))
            if wanted and version is not None:
                assert version in requirement.specifier, f"{library} wants {requirement}"


def test_no_address_of_a_registry_and_no_path_of_a_machine_is_committed() -> None:
    files = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split()
    for name in files:
        if Path(name).suffix in {".toml", ".txt", ".yml", ".cfg", ""}:
            text = (ROOT / name).read_text(errors="ignore")
            assert not re.search(r"index-url|find-links|file:///|/(home|root)/", text), name
