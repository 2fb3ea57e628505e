"""The configuration holds together: every entry is used, documented by its layer, and portable."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
from functools import cache
from graphlib import TopologicalSorter
from importlib.metadata import PackageNotFoundError, metadata, requires
from pathlib import Path

import pandas as pd
import pytest
import yaml
from kedro.framework.project import configure_project, pipelines
from kedro.io import AbstractDataset, CatalogConfigResolver
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from graft.pipeline_registry import create_stage
from graft.pipelines import candidates
from graft.pipelines.prediction import pipeline as prediction
from graft.settings import CONFIG_LOADER_ARGS
from graft.text_values import TextKeepingConfigLoader

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


@cache
def _load(environment: str, what: str) -> dict:
    loader = TextKeepingConfigLoader(str(ROOT / "conf"), env=environment, **CONFIG_LOADER_ARGS)
    return loader[what]


@cache
def _register() -> dict:
    configure_project("graft")
    candidates._chosen = [candidates.find_candidate(name) for name in candidates.STAGES]
    try:
        return dict(pipelines)
    finally:
        candidates._chosen = None


@pytest.fixture
def registered() -> dict:
    return _register()


def _list_used() -> set[str]:
    """Datasets of all pipelines, as any parameters of a run would have them."""
    used = set().union(*(pipeline.datasets() for pipeline in _register().values()))
    try:
        for source in (None, "pictures"):
            prediction.choose_prediction({"prediction": {"source": source, "layer": "conv"}})
            used |= prediction.create_pipeline().datasets()
    finally:
        prediction.choose_prediction({})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(candidates, "_begins_warm", True)
        for stage in ("head_training", "fine_tuning", "champion", "reporting"):
            used |= create_stage(stage).datasets()
    return used


@cache
def _resolve(environment: str) -> dict:
    """The entries of all datasets of the pipelines by name, also those that a factory makes."""
    resolver = CatalogConfigResolver(_load(environment, "catalog"), {}, {"{undeclared}": {}})
    data = sorted(name for name in _list_used() if not name.startswith("params:"))
    return {name: resolver.resolve_pattern(name) for name in data}


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_every_dataset_of_a_pipeline_has_an_entry_and_every_entry_a_dataset(
    environment: str,
) -> None:
    entries = _resolve(environment)
    assert [name for name, entry in entries.items() if not entry] == []
    resolver = CatalogConfigResolver(_load(environment, "catalog"), {}, {"{undeclared}": {}})
    named = resolver.config.keys()
    factories = {resolver.match_dataset_pattern(name) for name in entries.keys() - named}
    assert entries.keys() & named | factories == _load(environment, "catalog").keys()


def test_the_name_of_the_folder_of_all_outputs_stands_once() -> None:
    texts = [path.read_text() for path in (ROOT / "conf").glob("*/catalog*.yml")]
    assert sum(text.count("runtime_params:dataset") for text in texts) == 1


def test_an_environment_replaces_an_entry_and_no_other(tmp_path: Path) -> None:
    conf = tmp_path / "conf"
    shutil.copytree(ROOT / "conf", conf)
    mine = {"type": "graft.datasets.AtomicDataset", "filepath": "mine.json", "dataset": "json.J"}
    (conf / "local").mkdir(exist_ok=True)
    (conf / "local/catalog_mine.yml").write_text(yaml.safe_dump({"metrics": mine}))
    changed = TextKeepingConfigLoader(str(conf), env="local", **CONFIG_LOADER_ARGS)["catalog"]
    assert changed == {**_load("base", "catalog"), "metrics": mine}


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_every_parameter_is_used_by_a_pipeline(environment: str) -> None:
    # The list of candidates is read before the pipelines are built.
    given = set(_load(environment, "parameters")) - {"candidates"}
    assert {f"params:{name}" for name in given} == {
        name for name in _list_used() if name.startswith("params:")
    }


# Logs are handed to a training and lie where people look for reports; the champion is chosen by
# metrics, the chosen classifier by predictions, and both lie with the models, as does what is asked
# of the latter; activations wait for the head; what the last run left is read before that of this
# run is made. In the drawing all stand where the data flows.
ELSEWHERE = {
    "boundary_activations": "model_input", "previous_boundary_activations": "model_input",
    "champion": "models", "champion_pictures": "models", "chosen_classifier": "models",
    "familiarity": "models",
    "previous_features": "feature",
    "previous_unlabelled_features": "feature", "previous_measured_activations": "model_output",
}  # fmt: skip


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_every_entry_lies_in_the_folder_of_its_layer(environment: str) -> None:
    dataset = _load(environment, "globals")["dataset"]
    for name, entry in _resolve(environment).items():
        layer = entry["metadata"]["kedro-viz"]["layer"]
        layer = "reporting" if name.endswith(("_logs", ".logs")) else ELSEWHERE.get(name, layer)
        path = entry.get("filepath", "")
        if name.startswith("raw_") or path.startswith(("src/graft/models/weights/", "conf/")):
            continue
        folder = "printed_letters" if re.match("letter_|pretrain", name) else dataset
        assert path.startswith(f"data/{LAYERS[layer]}/{folder}/"), name


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_the_layers_form_no_circle(environment: str, registered: dict) -> None:
    layer_of = {
        name: entry["metadata"]["kedro-viz"]["layer"]
        for name, entry in _resolve(environment).items()
    }
    above: dict[str, set[str]] = {}  # layers of all that a dataset is made of, and its own
    before: dict[str, set[str]] = {}
    for node in registered["__default__"].nodes:  # in the order in which they run
        for name in node.inputs:
            above.setdefault(name, {layer_of[name]} if name in layer_of else set())
        sources = set().union(*(above[name] for name in node.inputs))
        for made in node.outputs:
            above[made] = sources | {layer_of[made]}
            before.setdefault(layer_of[made], set()).update(sources - {layer_of[made]})
    TopologicalSorter(before).prepare()  # kedro-viz shows no layers at all if there is a circle


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_everything_but_raw_data_is_saved_atomically(environment: str) -> None:
    types = {
        name: entry["type"]
        for name, entry in _resolve(environment).items()
        if entry["metadata"]["kedro-viz"]["layer"] != "raw"
    }
    previous = {name for name in types if name.startswith("previous_")}
    assert all(types[name] == "graft.datasets.PreviousDataset" for name in previous)
    # These two are written by the training while it goes on, each file in one step.
    folders = {
        "graft.datasets.ForwardExportsDataset",
        "graft.datasets.LogFolderDataset",
        "graft.datasets.RowShardsDataset",
        "graft.datasets.TrainingBackupDataset",
    }
    # The champion in use is read alone, from the folder that `champion` saves.
    saved = {types[name] for name in types.keys() - previous - {"champion_in_use"}}
    # An environment is a folder of the user's, and saved as atomically.
    atomic = {"graft.datasets.AtomicDataset", "graft.datasets.EnvironmentDataset"}
    assert saved - folders == atomic


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
        ("applied_reviews", "new_label"),
        ("label_issues", "suggested_label"),
        ("split_summary", "label"),
        ("class_summary", "label"),
        ("outliers", "label"),
        ("class_metrics", "class"),
    ],
)
def test_names_that_look_like_numbers_or_gaps_stay_text(
    name: str, column: str, tmp_path: Path
) -> None:
    entry = {**_resolve("base")[name], "filepath": str(tmp_path / "table.csv")}
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


# Stages that choose nothing by the test split, and of the others the functions that only measure
# (`_PARTS` names the parts that a set of texts comes in, before any of them is split).
READERS_OF_TEST = {
    "calibration", "champion", "curves", "evaluation", "explanation", "reporting", "splitting",
    "candidates.py.list_measured", "compare_runs.compare_runs", "compare_runs.format_comparison",
    "text_classification._PARTS", "text_classification.measure_texts",
    "text_classification.draw_text_confusion", "text_classification.write_text_report",
}  # fmt: skip


def test_only_stages_that_choose_nothing_by_it_read_the_test_split() -> None:
    readers = set()
    folder = ROOT / "src/graft/pipelines"
    for path in folder.rglob("*.py"):
        stage, text = path.relative_to(folder).parts[0], path.read_text()
        lines = text.splitlines()
        for statement in ast.parse(text).body:
            own = "\n".join(lines[statement.lineno - 1 : statement.end_lineno])
            if re.search(r"""["']test["']""", own):
                target = statement.targets[0] if isinstance(statement, ast.Assign) else statement
                name = getattr(target, "name", ast.unparse(target))
                readers.add(stage if stage in READERS_OF_TEST else f"{stage}.{name}")
    assert readers == READERS_OF_TEST


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
            found = re.search(r"(index-url|find-links)[ =\"']+\w+://|file:///|/(home|root)/", text)
            assert not found, name
