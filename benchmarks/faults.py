"""Kill, fill the disk, change things at random; count what does not come out right.

Usage: python benchmarks/faults.py [--kills N] [--saves N] [--steps N]

Prints a line a trial to standard error and the result as JSON in its last line of standard
output. Root may mount the small file system on which the disk gets full; without it, this part
is left out and said so.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from graft.datasets import AtomicDataset  # noqa: E402
from graft.datasets.features import FeatureBlock  # noqa: E402
from graft.images.blocks import RowStream  # noqa: E402
from helpers.killing import hash_outputs, make_env, run_whole  # noqa: E402

RUN = ("run", "--env=test")


def make_project(folder: Path) -> Path:
    """A project with this project's configuration and no data."""
    folder.mkdir(parents=True)
    shutil.copytree(ROOT / "conf", folder / "conf")
    shutil.copy(ROOT / "pyproject.toml", folder)
    shutil.copy(ROOT / ".telemetry", folder)
    (folder / "src").mkdir()
    return folder


def kill_runs(folder: Path, count: int) -> dict[str, Any]:
    """Kill runs at random moments; after each kill, the next whole run must end the same."""
    project = make_project(folder / "undisturbed")
    assert run_whole(project, *RUN).returncode == 0
    expected, wrong, killed = hash_outputs(project), 0, 0
    other = make_project(folder / "other")
    started = time.monotonic()
    assert run_whole(other, *RUN).returncode == 0
    seconds = time.monotonic() - started
    differing = sum(hash_outputs(other)[name] != expected[name] for name in expected)
    dice = random.Random(0)
    project = make_project(folder / "killed")
    while killed < count:
        started = time.monotonic()
        command = [sys.executable, "-m", "kedro", *RUN]
        with subprocess.Popen(
            command, cwd=project, env=make_env(), stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        ) as process:  # fmt: skip
            try:
                process.wait(dice.uniform(1.5, seconds))
                seconds = min(seconds, time.monotonic() - started)
            except subprocess.TimeoutExpired:
                process.kill()
                killed += 1
        done = run_whole(project, *RUN)
        right = done.returncode == 0 and hash_outputs(project) == expected
        wrong += not right
        print(f"{killed} killed: {'right' if right else 'WRONG'}", file=sys.stderr, flush=True)
        shutil.rmtree(project / "data")
    return {"kills": killed, "wrong": wrong, "files": len(expected), "two_runs_differ": differing}


def _stream(value: int) -> RowStream:
    rows = ((row, np.full((64, 64, 3), value, np.uint8)) for row in range(200))
    return RowStream(shape=(200, 64, 64, 3), dtype="uint8", rows=rows)


def _blocks(value: int) -> list[FeatureBlock]:
    keys = pd.DataFrame({"image_id": [f"{n}" for n in range(500)], "image_sha256": "x", "view": 0})
    return [FeatureBlock(keys, np.full((500, 256), value, np.float32)) for _ in range(4)]


def _table(value: int) -> pd.DataFrame:
    return pd.DataFrame({"a": np.full(200_000, value), "b": "text"})


KINDS: dict[str, tuple[Any, Callable[[int], Any]]] = {
    "parquet": ({"type": "pandas.ParquetDataset"}, _table),
    "csv": ({"type": "pandas.CSVDataset", "save_args": {"index": False}}, _table),
    "json": ({"type": "json.JSONDataset"}, lambda value: [value] * 200_000),
    "npy": ({"type": "graft.datasets.NumpyArrayDataset"}, _stream),
    "npz": (
        {"type": "graft.datasets.WeightsDataset"},
        lambda value: {"w": np.full(1_000_000, value, np.float32)},
    ),
    "html": ({"type": "graft.datasets.HTMLDataset"}, lambda value: str(value) * 2_000_000),
    "features": ({"type": "graft.datasets.FeatureShardsDataset", "shard_rows": 500}, _blocks),
}


def kill_saves(folder: Path, count: int) -> dict[str, Any]:
    """Kill inside the save of each kind of dataset; what is there must be whole, old or new."""
    dice, wrong, trials = random.Random(0), 0, 0
    for kind, (definition, make) in KINDS.items():
        suffix = "" if kind == "features" else f".{kind}"
        dataset = AtomicDataset(filepath=folder / kind / f"output{suffix}", dataset=definition)
        started = time.monotonic()
        dataset.save(make(1))
        seconds = time.monotonic() - started
        for _ in range(count):
            if not (child := os.fork()):
                dataset.save(make(2))
                os._exit(0)
            time.sleep(dice.uniform(0, 1.1 * seconds))
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            trials += 1
            reader = AtomicDataset(filepath=dataset.filepath, dataset=definition)
            right = reader.exists() and reader.load() is not None
            reader.save(make(1))
            left = {path.name for path in dataset.filepath.parent.iterdir()}
            right &= reader.exists() and len(left) == 2
            wrong += not right
        print(f"{kind}: {wrong} wrong so far", file=sys.stderr, flush=True)
    return {"kills": trials, "wrong": wrong, "kinds": len(KINDS)}


def fill_disk(folder: Path) -> dict[str, Any] | None:
    """Run on a file system that is too small, make room, run again."""
    project, expected = make_project(folder / "full"), make_project(folder / "roomy")
    (project / "data").mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=600k", "tmpfs", str(project / "data")]
    if subprocess.run(mount, capture_output=True).returncode:
        return None
    try:
        assert run_whole(expected, *RUN).returncode == 0
        full = run_whole(project, *RUN)
        told = [line for line in full.stderr.splitlines() if line.startswith("Error: ")]
        subprocess.run(["mount", "-o", "remount,size=100m", str(project / "data")], check=True)
        again = run_whole(project, *RUN)
        right = again.returncode == 0 and hash_outputs(project) == hash_outputs(expected)
    finally:
        subprocess.run(["umount", str(project / "data")], check=True)
    return {"failed": full.returncode != 0, "told": told[-1:], "right_after": right}


def change_at_random(steps: int) -> dict[str, Any]:
    """Hypothesis' state machine of tests/caching, for so many steps."""
    examples = max(1, steps // 50)
    environment = {"GRAFT_RANDOM_STEPS": "50", "GRAFT_RANDOM_EXAMPLES": str(examples)}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "tests/caching/test_random_changes.py"],
        cwd=ROOT, env={**os.environ, **environment}, capture_output=True, text=True,
    )  # fmt: skip
    return {"steps": 50 * examples, "right": done.returncode == 0}


def main() -> None:
    """Do all and print what came out."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--saves", type=int, default=25, help="kills in a save, of each kind")
    parser.add_argument("--steps", type=int, default=500)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = {
            "saves": kill_saves(Path(folder) / "saves", options.saves),
            "disk": fill_disk(Path(folder)),
            "random": change_at_random(options.steps),
            "runs": kill_runs(Path(folder), options.kills),
        }
    print(json.dumps(found))


if __name__ == "__main__":
    main()
