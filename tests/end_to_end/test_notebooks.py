"""The notebooks run from first to last cell on what a run made, and hold no outputs."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from helpers.projects import FinishedRun

ROOT = Path(__file__).parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
# What nbclient would do, without a kernel of its own; no notebook sees the names of another.
RUN = """
import json, sys
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance()
for path in sys.argv[1:]:
    shell.reset()
    shell.extension_manager.loaded.clear()
    for cell in json.load(open(path, encoding="utf-8"))["cells"]:
        if cell["cell_type"] == "code":
            shell.run_cell("".join(cell["source"])).raise_error()
    print("\\nran to its end:", path)
"""


def test_there_are_three_notebooks() -> None:
    assert [path.stem for path in NOTEBOOKS] == [
        "01_first_look", "02_transfer_learning", "03_error_analysis",
    ]  # fmt: skip


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_short_and_stripped(path: Path) -> None:
    cells = json.loads(path.read_text())["cells"]
    assert len(cells) <= 12
    for cell in cells:
        assert cell.get("outputs", []) == []
        assert cell.get("execution_count") is None


def test_the_notebooks_run_on_what_a_run_made(project: Path, finished_run: FinishedRun) -> None:
    # Seen from the base environment, which the notebooks open, these are its own results.
    for layer in (finished_run.project / "data").glob("0*"):
        shutil.copytree(layer / "test", project / "data" / layer.name / "digits")
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src"), "MPLBACKEND": "agg"}
    done = subprocess.run(
        [sys.executable, "-c", RUN, *map(str, NOTEBOOKS)],
        cwd=project,
        env=environment,
        capture_output=True,
        text=True,
    )
    for path in NOTEBOOKS:
        assert f"\nran to its end: {path}\n" in done.stdout, f"{done.stdout}{done.stderr}"
