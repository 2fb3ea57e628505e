"""What a warm start saves when ten pictures are new, and what it costs in quality.

Usage: python benchmarks/warm_start.py [--shared FOLDER] [--draws N] [--recipe NAME]

Whole `kedro run`s on 1,200 cats and dogs, start of Python included, in a throw-away project. In
each draw ten pictures are taken away at random and all is made of the other 1,190. Then the ten
come back: once in a full run, once in one with `warm_start=true`, both from the same state.
Seconds of the clock and of the processors (those of decoders left out), log loss and accuracy of
the champion on dev, and which weights dev has chosen. `--recipe last_block` makes champions that
are fine-tuned; by `auto`, the default, the head alone is good enough here. The last line is JSON.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import shutil
import statistics
import sys
from pathlib import Path
from typing import Any

from run import run_kedro, throw_away_project

NEW, SEED = 10, 0


def measure_run(project: Path, *arguments: str) -> dict[str, Any]:
    """A run: ``seconds``, ``cpu_seconds``, and what its champion does on dev."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = run_kedro(project, "run", *arguments)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    reporting = project / "data/08_reporting/cats_vs_dogs"
    chosen = json.loads((reporting / "comparison.json").read_text())["chosen"]
    dev = json.loads((reporting / "metrics.json").read_text())[chosen]["dev"]
    return {
        "seconds": round(seconds, 1),
        "cpu_seconds": round(
            after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime, 1
        ),
        "chosen": chosen,
        "log_loss": dev["log_loss"]["value"],
        "accuracy": dev["accuracy"]["value"],
    }


def measure_draw(project: Path, new: list[Path], given: list[str]) -> dict[str, Any]:
    """Ten pictures go and come back: ``full`` and ``warm``, and ``weights`` that dev chose."""
    source, data, kept = project / "pictures", project / "data", project / "data_before"
    for path in new:
        (source / path.name).unlink()
    run_kedro(project, "run", *given)
    shutil.copytree(data, kept)
    for path in new:
        shutil.copy(path, source)
    full = measure_run(project, *given)
    shutil.rmtree(data)
    kept.rename(data)
    warm = measure_run(project, *given[:-1], f"{given[-1]},warm_start=true")
    outcome = json.loads((data / "08_reporting/cats_vs_dogs/warm_start.json").read_text())
    return {"full": full, "warm": warm, "weights": outcome["weights"]}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shared", type=Path, default=Path(__file__).parents[2] / "shared")
    parser.add_argument("--draws", type=int, default=5)
    parser.add_argument("--recipe", default="auto")
    arguments = parser.parse_args()
    shared = arguments.shared.resolve()
    pictures = sorted((shared / "data/cats_vs_dogs").rglob("*.jpg"))
    weights = shared / "weights/mobilenet_v2_imagenet_no_top.weights.h5"
    draw = random.Random(SEED)
    found = []
    with throw_away_project() as project:
        (project / "pictures").mkdir()
        for path in pictures:
            shutil.copy(path, project / "pictures")
        told = f"source={project / 'pictures'},weights={weights}"
        given = ["--env=cats_vs_dogs", "--params", f"{told},fine_tuning.recipe={arguments.recipe}"]
        run_kedro(project, "run", *given)
        for _ in range(arguments.draws):
            found.append(measure_draw(project, draw.sample(pictures, NEW), given))
            print(found[-1], file=sys.stderr)
    means = {
        way: {
            name: round(statistics.mean(one[way][name] for one in found), 4)
            for name in ("seconds", "cpu_seconds", "log_loss", "accuracy")
        }
        for way in ("full", "warm")
    }
    new = sum(one["weights"] == "new" for one in found)
    print(json.dumps({**means, "draws": len(found), "new_weights": new, "all": found}))


if __name__ == "__main__":
    main()
