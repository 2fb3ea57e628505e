"""``--params``: what is declared as text stays as it was typed, the rest is what it looks like."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from graft.errors import GraftError
from graft.typed_parameters import convert_parameters, resolve_path, split_parameters

PARAMETERS = {
    "stage": {
        "epochs": 5,
        "rate": 0.1,
        "flip": False,
        "name": "auto",
        "target": None,
        "list": [1],
        "include_classes": [],
    }
}
VALUES = {"seed": 42, "source": "data/01_raw", "dataset": "digits", "other": None}
ODD_TEXTS = [
    "set #2", "a #b", "007", "2024_11_25", "1.10", "1e3", "12:30", "yes", "no", "2024", "a: b",
    "[2024] cats", "{x} cats", "${x}", "a${x}b", r"\${x}", "null", "~", "'quoted'", " spaced ",
    "a, b", "x=y", "- a", "*star", "&and", "!bang", "%", "@", "`", "=1+1", "ünï 日本 🐈", "",
]  # fmt: skip


def convert(*texts):
    return convert_parameters(split_parameters(texts), PARAMETERS, VALUES)


@pytest.mark.parametrize("text", ODD_TEXTS)
@pytest.mark.parametrize("name", ["source", "dataset"])
def test_a_text_stays_as_it_was_typed(name, text):
    given = convert(f"{name}={text}")
    # As Kedro's loader merges and resolves it.
    resolved = OmegaConf.to_container(OmegaConf.create(given), resolve=True)
    assert resolved == {name: text}


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("stage.epochs=3", 3),
        ("stage.epochs=010", 10),
        ("stage.rate=1e-3", 0.001),
        ("stage.rate=.5", 0.5),
        ("stage.flip=true", True),
        ("stage.flip=no", False),
        ("stage.list=[2, 3]", [2, 3]),
        ("stage.epochs=null", None),
        ("stage.epochs=12:30", "12:30"),
        ("stage.epochs=many", "many"),
        ("stage.epochs=a: b", "a: b"),
        ("stage.name=2", "2"),
        ("stage.name=null", None),
        ("stage.target=010", "010"),
        ("stage.target=yes", "yes"),
        ("stage.target=null", None),
        ("stage.unknown=3", 3),
        ("stage.include_classes=[no, 007, 🐈]", ["no", "007", "🐈"]),
        ("stage.include_classes=[]", []),
    ],
)
def test_the_rest_is_what_is_declared_or_looks_like(typed, expected):
    name = typed.partition("=")[0].partition(".")[2]
    found = convert(typed)["stage"][name]
    assert (type(found), found) == (type(expected), expected)


def test_several_are_merged_and_nested():
    assert convert("seed=9", "stage.epochs=2,stage.name=x") == {
        "seed": 9, "stage": {"epochs": 2, "name": "x"}
    }  # fmt: skip


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (["seed=1", "seed=2"], "gives seed two values; give one; got '1' and '2'"),
        (["seed"], "takes NAME=VALUE, or several with commas between them; got 'seed'"),
        (["=3"], "takes NAME=VALUE"),
        (["stage=3", "stage.epochs=3"], "a value and parts"),
        (["stage.epochs=3", "stage=3"], "a value and parts"),
    ],
)
def test_what_cannot_be_merged_is_refused_in_one_line(texts, message):
    with pytest.raises(GraftError) as error:
        convert(*texts)
    assert message in str(error.value)
    assert len(str(error.value).splitlines()) == 1


def test_the_same_twice_is_once():
    assert convert("seed=1", "seed=1") == {"seed": 1}


def test_a_path_is_relative_to_where_it_was_typed_if_it_is_there(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    below = tmp_path / "project/notebooks"
    (below / "pics").mkdir(parents=True)
    project = below.parent
    assert resolve_path("~/pics", project, project) == str(tmp_path / "pics")
    assert resolve_path("pics", below, project) == str(below / "pics")
    assert resolve_path("data/01_raw", below, project) == "data/01_raw"
    assert resolve_path("pics", project, project) == "pics"
    assert resolve_path("/x", below, project) == "/x"
    assert resolve_path("https://x/~y.zip", below, project) == "https://x/~y.zip"


UP_TO_SPLITS = ("--env=own_pictures", "--pipelines=ingestion,splitting")


@pytest.mark.parametrize("name", ["set #2", "007", "[2024] cats: a,b", "${x}"])
def test_folders_and_data_sets_of_odd_names_are_read_and_written(
    name: str, flowers: Path, tmp_path: Path, project: Path, run_kedro: Callable
) -> None:
    source = flowers.rename(tmp_path / name)
    dataset = name.replace("${x}", "x")  # the catalog takes braces for a pattern
    outcome = run_kedro(
        *UP_TO_SPLITS, "--params", f"source={source}", "--params", f"dataset={dataset}"
    )
    assert outcome.code == 0, outcome.err
    assert "24 pictures in 2 classes" in outcome.out
    names = json.loads((project / "data/03_primary" / dataset / "class_names.json").read_text())
    assert names == ["fern", "rose"]


def test_a_data_set_that_the_catalog_would_take_for_a_pattern_is_refused(
    run_kedro: Callable,
) -> None:
    assert "without { and }" in run_kedro("--params", "dataset=${x}").error


def test_two_params_options_both_count(flowers: Path, run_kedro: Callable) -> None:
    arguments = ("--params", "seed=9", "--params", f"source={flowers},splitting.folds=3")
    outcome = run_kedro(*UP_TO_SPLITS, *arguments)
    assert outcome.code == 0, outcome.err
    assert "(by class, seed 9)" in outcome.out
    assert "24 pictures in 2 classes" in outcome.out


def test_a_home_folder_and_a_folder_below_are_understood(
    flowers: Path, project: Path, tmp_path: Path, run_kedro: Callable,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setenv("HOME", str(tmp_path))
    outcome = run_kedro(*UP_TO_SPLITS, "--params", "source=~/flowers")
    assert outcome.code == 0, outcome.err
    assert "24 pictures" in outcome.out


def test_a_run_typed_in_a_folder_below_is_the_same_run(flowers: Path, project: Path) -> None:
    below = project / "notebooks"
    below.mkdir()
    flowers.rename(below / "flowers")
    ended = subprocess.run(
        [sys.executable, "-m", "kedro", "run", *UP_TO_SPLITS, "--params", "source=flowers"],
        cwd=below, capture_output=True, text=True, env={**os.environ, "PYTHONIOENCODING": "ascii"},
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    # A pipe of few letters ends in no traceback.
    told = ended.stderr + ended.stdout
    assert "Logging error" not in told
    assert "Traceback" not in told
    lines = ended.stdout.splitlines()
    assert "Found        24 pictures in 2 classes (12 each)" in lines
    # Kedro tells of its own logging while it is imported; from our first line on it is ours.
    ours = lines[next(at for at, line in enumerate(lines) if line.startswith("Graft  ")) :]
    assert not [line for line in ours if "INFO" in line]
    assert (project / "data/03_primary/own_pictures/splits.parquet").exists()


def test_an_error_comes_without_kedros_advice_to_resume(
    tmp_path: Path, run_kedro: Callable
) -> None:
    outcome = run_kedro(*UP_TO_SPLITS, "--params", f"source={tmp_path / 'nowhere'}")
    assert outcome.code == 1
    told = outcome.out + outcome.err
    assert "No nodes ran" not in told
    assert "--from-nodes" not in told


def test_parameters_of_a_file_count_as_ever(
    flowers: Path, project: Path, run_kedro: Callable
) -> None:
    (project / "run.yml").write_text(
        f"run:\n  env: own_pictures\n  pipelines: ingestion,splitting\n"
        f"  params: {{source: {flowers}, seed: 7}}\n"
    )
    outcome = run_kedro(f"--config={project / 'run.yml'}")
    assert outcome.code == 0, outcome.err
    assert "(by class, seed 7)" in outcome.out
