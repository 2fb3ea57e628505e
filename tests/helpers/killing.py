"""Kedro in a process of its own that kills itself in the middle of writing."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

# Every output is moved into place, and so are its receipt and its recipe: the n-th such moment
# can be any of those between which a kill must do no harm.
KILL_AT_MOVE = """
import os, signal, sys
moves, limit, real = 0, int(sys.argv[1]), os.replace

def replace(*arguments, **options):
    global moves
    moves += 1
    if moves == limit:
        os.kill(os.getpid(), signal.SIGKILL)
    return real(*arguments, **options)

os.replace = replace
sys.argv = ["kedro", *sys.argv[2:]]
from kedro.framework.cli.cli import main
main()
"""


def run_killed_at_move(project: Path, move: int, *arguments: str) -> int:
    """Exit code of ``kedro ARGUMENTS`` that dies before its n-th move of a file."""
    command = [sys.executable, "-c", KILL_AT_MOVE, str(move), *arguments]
    return subprocess.run(command, cwd=project, capture_output=True, env=make_env()).returncode


# Says after a command which of the slow libraries it has imported.
PROBE = """
import sys
from kedro.framework.cli.cli import main
sys.argv = ["kedro", *sys.argv[1:]]
try:
    main()
finally:
    print("heavy:", sorted({"tensorflow", "keras"} & set(sys.modules)))
"""


def run_whole(project: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """``kedro ARGUMENTS`` in a process of its own, which says what it has imported."""
    command = [sys.executable, "-c", PROBE, *arguments]
    return subprocess.run(command, cwd=project, capture_output=True, text=True, env=make_env())


def make_env() -> dict[str, str]:
    """The environment in which another process imports the code under test."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}


_RECORDS = ("/.state/", "/.locks/", "/backup/", "_backup/", "/logs/", "_logs/")


def hash_outputs(project: Path) -> dict[str, str]:
    """SHA-256 of every output of a run: no times, no backups of a training, no lock."""
    found = {}
    for path in sorted((project / "data").rglob("*")):
        name = path.relative_to(project).as_posix()
        if path.is_file() and not any(part in name for part in _RECORDS):
            found[name] = hashlib.sha256(path.read_bytes()).hexdigest()
    return {name: sha256 for name, sha256 in found.items() if "manifest.json" not in name}


def keep_memory(project: Path, other: Path) -> None:
    """Let another project start from all that is remembered on purpose, with its receipts.

    The sides that pictures have, and how often test was looked at.
    """
    for name in ("03_primary/*/*splits.parquet*", "08_reporting/*/*test_evaluations.json*"):
        for file in project.glob(f"data/{name}"):
            copy = other / file.relative_to(project)
            copy.parent.mkdir(parents=True, exist_ok=True)
            if "recipe" not in file.name:
                shutil.copy(file, copy)
