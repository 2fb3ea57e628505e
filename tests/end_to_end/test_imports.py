"""TensorFlow takes seconds to import: commands that do not need it must not."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from helpers.killing import make_env

PROBE = """
import sys
from kedro.framework.cli.cli import main
sys.argv = ["kedro", *sys.argv[1:]]
try:
    main()
finally:
    heavy = {"tensorflow", "keras"} & set(sys.modules)
    print("heavy:", sorted(heavy))
"""


@pytest.mark.parametrize(
    "command",
    [
        ["catalog", "describe-datasets"],
        ["run", "--pipelines=ingestion,splitting,decoding"],
    ],
)
def test_tensorflow_is_not_imported(command: list[str], project: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROBE, *command], cwd=project, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "heavy: []" in done.stdout


def test_windows_is_refused_in_one_line() -> None:
    code = "import sys; sys.platform = 'win32'; import graft"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=make_env()
    )
    assert done.returncode == 1
    told = done.stderr.splitlines()[-1]
    assert told == "ImportError: Graft runs on Linux and macOS; on Windows, install it in WSL"
