"""``make clean`` keeps what no run could make anew: who was in test, and who has looked at it.

And what ``make`` installs with.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from graft.settings import CONFIG_LOADER_ARGS
from graft.text_values import TextKeepingConfigLoader

ROOT = Path(__file__).parents[1]

pytestmark = pytest.mark.skipif(not shutil.which("make"), reason="there is no make here")


def make(target: str, folder: Path) -> str:
    shutil.copy(ROOT / "Makefile", folder)
    return subprocess.run(
        ["make", target], cwd=folder, capture_output=True, text=True, check=True
    ).stdout


@pytest.fixture
def outputs(tmp_path: Path) -> dict[str, dict]:
    """Every file of the catalog, with its receipt and its recipe, for two sets of pictures."""
    made = {}
    for dataset in ("digits", "röschen 2"):
        loader = TextKeepingConfigLoader(
            str(ROOT / "conf"), runtime_params={"dataset": dataset}, **CONFIG_LOADER_ARGS
        )
        for entry in loader["catalog"].values():
            place = entry.get("filepath", "")
            if place.startswith("data/0"):
                path = tmp_path / place
                path.parent.mkdir(parents=True, exist_ok=True)
                for name in (path.name, f".{path.name}.receipt.json", f".{path.name}.recipe.json"):
                    path.with_name(name).touch()
                made.setdefault(place, entry)
                # What is read as a previous self, and not to save work alone, cannot be made anew.
                if entry["type"] == "graft.datasets.PreviousDataset":
                    made[place] = entry
    return made


def list_files(folder: Path) -> set[str]:
    paths = (path.relative_to(folder).as_posix() for path in (folder / "data").rglob("*"))
    return {path for path in paths if (folder / path).is_file()}


# What `warm_start=true` goes on from: without it everything is trained in full, and a line says so.
GONE_ON_FROM = {"champion", "champion_pictures.parquet"}


def test_a_clean_keeps_what_later_runs_depend_on_and_says_so(tmp_path, outputs):
    lasting = {
        place
        for place, entry in outputs.items()
        if entry["type"] == "graft.datasets.PreviousDataset"
        and not entry.get("only_saves_work")
        and Path(place).name not in GONE_ON_FROM
    }
    assert {Path(place).name for place in lasting} == {"splits.parquet", "test_evaluations.json"}
    raw = {place for place in list_files(tmp_path) if place.startswith("data/01_raw/")}
    assert raw
    told = make("clean", tmp_path)
    kept = {
        str(Path(place).with_name(name))
        for place in lasting
        for name in (
            Path(place).name,
            f".{Path(place).name}.receipt.json",
            f".{Path(place).name}.recipe.json",
        )
    }
    assert list_files(tmp_path) == kept | raw
    lines = [line for line in told.splitlines() if line.startswith("Kept")]
    assert len(lines) == len(lasting)
    assert all(any(line.endswith(place) for line in lines) for place in lasting)
    assert all("make clean-all removes it too" in line for line in lines)


def test_a_clean_leaves_no_empty_folder(tmp_path, outputs):
    make("clean", tmp_path)
    assert not [p for p in (tmp_path / "data").rglob("*") if p.is_dir() and not any(p.iterdir())]
    assert "Kept" not in make("clean-all", tmp_path) + make("clean", tmp_path)


# Notes what it was asked for; of pip's settings it names an index.
PYTHON = """#!/bin/sh
case "$*" in
  *"config get"*) echo http://mirror.example/simple;;
  *) echo "pip $*" >> told;;
esac
"""
UV = """#!/bin/sh
echo "uv $UV_DEFAULT_INDEX $*" >> told
exit {code}
"""


@pytest.mark.parametrize(("code", "by_pip"), [(0, ["uv"]), (1, ["uv", "-e .[train]"])])
def test_uv_installs_from_where_pip_would_and_where_it_cannot_pip_does(
    code: int, by_pip: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("UV_DEFAULT_INDEX", "PIP_INDEX_URL"):
        monkeypatch.delenv(name, raising=False)
    for name, text in (("python", PYTHON), ("uv", UV.format(code=code))):
        program = tmp_path / ".venv/bin" / name
        program.parent.mkdir(parents=True, exist_ok=True)
        program.write_text(text)
        program.chmod(0o755)
    for name in ("pyproject.toml", "constraints.txt"):
        shutil.copy(ROOT / name, tmp_path)
    told = make(".venv/.installed", tmp_path)
    assert ("uv could not install" in told) == bool(code)
    lines = (tmp_path / "told").read_text().splitlines()
    (by_uv,) = (line for line in lines if line.startswith("uv "))
    assert by_uv.startswith("uv http://mirror.example/simple pip install ")
    assert by_uv.endswith("-c constraints.txt -e .[train]")
    asked = [line.partition("constraints.txt ")[2] for line in lines if line.startswith("pip ")]
    assert asked == by_pip
    assert (tmp_path / ".venv/.installed").exists()


def test_clean_all_removes_everything_but_what_was_brought(tmp_path, outputs):
    (tmp_path / "mlruns").mkdir()
    make("clean-all", tmp_path)
    assert {path.name for path in (tmp_path / "data").iterdir()} == {"01_raw"}
    assert not (tmp_path / "mlruns").exists()


def test_pictures_that_were_in_test_before_a_clean_are_in_test_after_it(
    flowers: Path, write_picture: Callable, project: Path, run_kedro: Callable
) -> None:
    arguments = ("--env=own_pictures", "--pipelines=ingestion,splitting", "--params")
    place = project / "data/03_primary/own_pictures/splits.parquet"
    assert run_kedro(*arguments, f"source={flowers}").code == 0
    before = pd.read_parquet(place).set_index("image_id")["split"]
    make("clean", project)
    for number in range(40):
        write_picture(flowers / "rose" / f"new{number}.png", (150, number, 6 * number))
        write_picture(flowers / "fern" / f"new{number}.png", (6 * number, number, 210))
    assert run_kedro(*arguments, f"source={flowers}").code == 0
    after = pd.read_parquet(place).set_index("image_id")["split"]
    assert len(after) == len(before) + 80
    assert after[before.index].equals(before)
