"""What a run costs when nothing, little or one parameter has changed.

Usage: python benchmarks/caching.py [--shared FOLDER]

Everything is `kedro run` in throw-away projects, start of Python included. `digits` and
`cats_vs_dogs`: median of three runs with nothing to do. `ten_new`: ten pictures are added to 1,190
cats and dogs, up to the new report. `head`: what is made again when a parameter of the head
changes. The last line is JSON.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path

from run import run_kedro, throw_away_project

ROUNDS = 3
NEW = 10
# Files that take decoding or a pass through the backbone.
PIXELS = ("05_model_input/{}/images.npy", "04_feature/{}/features")


def measure_warm(project: Path, *arguments: str) -> float:
    """Median seconds of a run with nothing to do."""
    return statistics.median(run_kedro(project, "run", *arguments) for _ in range(ROUNDS))


def imports_tensorflow(project: Path, *arguments: str) -> bool:
    """Whether a run with nothing to do imports TensorFlow."""
    command = [sys.executable, "-X", "importtime", "-m", "kedro", "run", *arguments]
    trace = subprocess.run(command, cwd=project, check=True, capture_output=True, text=True).stderr
    return re.search(r"\| +tensorflow$", trace, re.MULTILINE) is not None


def measure_digits() -> dict[str, float]:
    """Warm runs of the base environment."""
    with throw_away_project() as project:
        run_kedro(project, "run")
        return {"seconds": measure_warm(project), "tensorflow": imports_tensorflow(project)}


def measure_cats(shared: Path) -> dict[str, dict[str, float]]:
    """Ten new pictures, then warm runs, then another parameter of the head."""
    pictures = sorted((shared / "data/cats_vs_dogs").rglob("*.jpg"))
    weights = shared / "weights/mobilenet_v2_imagenet_no_top.weights.h5"
    with throw_away_project() as project:
        source = project / "pictures"
        source.mkdir()
        step = len(pictures) // NEW
        new = pictures[::step][:NEW]
        for path in set(pictures) - set(new):
            shutil.copy(path, source)
        given = ["--env=cats_vs_dogs", "--params", f"source={source},weights={weights}"]
        cold = run_kedro(project, "run", *given)
        for path in new:
            shutil.copy(path, source)
        added = run_kedro(project, "run", *given)
        warm = {"seconds": measure_warm(project, *given)}
        warm["tensorflow"] = imports_tensorflow(project, *given)
        files = [project / "data" / name.format("cats_vs_dogs") for name in PIXELS]
        before = [path.stat().st_mtime_ns for path in files]
        given[-1] += ",head_training.dropout=0.3"
        seconds = run_kedro(project, "run", *given)
        kept = before == [path.stat().st_mtime_ns for path in files]
    return {
        "cats_vs_dogs": warm,
        "ten_new": {"seconds": added, "cold": cold},
        "head": {"seconds": seconds, "pixels_and_features_kept": kept},
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shared", type=Path, default=Path(__file__).parents[2] / "shared")
    started = time.perf_counter()
    found = {"digits": measure_digits(), **measure_cats(parser.parse_args().shared.resolve())}
    print(f"{time.perf_counter() - started:.0f} s in all", file=sys.stderr)
    print(json.dumps(found))


if __name__ == "__main__":
    main()
