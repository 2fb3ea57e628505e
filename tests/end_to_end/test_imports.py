"""TensorFlow, MLflow and scikit-learn take long to import: commands that need none must not."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from helpers.killing import make_env

PROBE = """
import sys
from kedro.framework.cli.cli import main
for command in sys.argv[1:]:
    sys.argv = ["kedro", *command.split()]
    try:
        main()
    except SystemExit as end:
        print("ended with:", end.code or 0)
    print("heavy:", sorted({"tensorflow", "keras", "mlflow"} & set(sys.modules)))
    print("statistics:", sorted({"sklearn", "scipy.stats"} & set(sys.modules)))
"""
COMMANDS = (
    "catalog describe-datasets",
    # Of a project in which nothing is left to do.
    "run --env=test",
    "run --env=test --pipelines=ingestion,splitting,decoding --force",
    "run --env=test --plan",
)


def test_what_is_not_needed_is_not_imported(finished_project: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROBE, *COMMANDS],
        cwd=finished_project, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "nothing to do" in done.stdout
    assert "Report       data/08_reporting/test/report.html" in done.stdout
    assert not (finished_project / "mlflow.db").exists()
    assert done.stdout.count("ended with: 0") == len(COMMANDS), done.stderr
    assert done.stdout.count("heavy: []") == len(COMMANDS)
    # What splits the pictures is of scikit-learn.
    assert done.stdout.count("statistics: []") == 2
    assert done.stdout.index("statistics: []") < done.stdout.index("statistics: ['")


def test_windows_is_refused_in_one_line() -> None:
    code = "import sys; sys.platform = 'win32'; import graft"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=make_env()
    )
    assert done.returncode == 1
    told = done.stderr.splitlines()[-1]
    assert told == "ImportError: Graft runs on Linux and macOS; on Windows, install it in WSL"
