"""Networks from scratch, texts and tables: their figures as JSON.

Usage: python benchmarks/networks.py [NAME ...] [--shared FOLDER]

Names: mnist, gtsrb, cats_vs_dogs, imdb, pima; all of them without one. Every figure comes from
`kedro run` in a throw-away project with this project's configuration. The folder has data/mnist,
data/gtsrb, data/cats_vs_dogs, data/imdb, data/pima and
weights/mobilenet_v2_imagenet_no_top.weights.h5.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd

from graft.analysis.comparison import compare_paired
from run import read_figure, run_kedro, throw_away_project

MEASUREMENTS: dict[str, Callable[[Path, Path], dict[str, Any]]] = {}
SCRATCH = "from_scratch"


def measurement(function: Callable[[Path, Path], dict[str, Any]]) -> Callable:
    """Add a function that measures something in a project."""
    MEASUREMENTS[function.__name__] = function
    return function


@measurement
def mnist(project: Path, shared: Path) -> dict[str, Any]:
    """The same network in three ways; each ≥ 0.985, within 0.3 points of each other."""
    figures = {}
    for way in ("sequential", "functional", "subclassed"):
        env = f"mnist_{way}"
        run_kedro(project, "run", f"--env={env}", "--params", f"source={shared / 'data/mnist'}")
        figures[way] = read_figure(project, env, SCRATCH)
    values = [figure["value"] for figure in figures.values()]
    spread = max(values) - min(values)
    return figures | {
        "spread": spread,
        "reached": min(values) >= 0.985 and spread <= 0.003,
    }


@measurement
def gtsrb(project: Path, shared: Path) -> dict[str, Any]:
    """Improved against simple on the same pictures of test; ≥ 2 points."""
    figures, right = {}, {}
    for way in ("simple", "improved"):
        env = f"gtsrb_{way}"
        run_kedro(project, "run", f"--env={env}", "--params", f"source={shared / 'data/gtsrb'}")
        figures[way] = read_figure(project, env, SCRATCH)
        table = pd.read_parquet(project / f"data/07_model_output/{env}/predictions.parquet")
        table = table[(table["split"] == "test") & (table["model"] == SCRATCH)]
        right[way] = (table["label"] == table["predicted"]).set_axis(table["image_id"])
    improved = right["improved"].loc[right["simple"].index]
    found = compare_paired(right["simple"].to_numpy(bool), improved.to_numpy(bool), 0.95)
    return figures | {"comparison": found, "reached": found["difference"] >= 0.02}


@measurement
def cats_vs_dogs(project: Path, shared: Path) -> dict[str, Any]:
    """The baseline of the book against transfer learning; ≥ 25 points."""
    env = "cats_vs_dogs_baseline"
    weights = shared / "weights/mobilenet_v2_imagenet_no_top.weights.h5"
    source = shared / "data/cats_vs_dogs"
    run_kedro(project, "run", f"--env={env}", "--params", f"source={source},weights={weights}")
    folder = project / f"data/08_reporting/{env}"
    pairs = json.loads((folder / "comparison.json").read_text())["pairs"]
    # The first pair sets the frozen backbone beside the network from scratch.
    found = pairs[0]["test"]
    return {
        "baseline": read_figure(project, env, SCRATCH),
        "transfer": read_figure(project, env, "frozen"),
        "comparison": found,
        "reached": found["accuracy"]["value"] >= 0.25,
    }


@measurement
def imdb(project: Path, shared: Path) -> dict[str, Any]:
    """The recurrent network, ≥ 0.76, and the linear baseline."""
    source = f"source={shared / 'data/imdb'}"
    run_kedro(project, "run", "--env=imdb", "--pipelines=text_classification", "--params", source)
    metrics = json.loads((project / "data/08_reporting/imdb/text_metrics.json").read_text())
    network, baseline = (metrics[name]["test"]["accuracy"] for name in ("network", "baseline"))
    return {"network": network, "baseline": baseline, "reached": network["value"] >= 0.76}


@measurement
def pima(project: Path, shared: Path) -> dict[str, Any]:
    """Accuracy over ten stratified folds; mean ≥ 0.74."""
    source = f"source={shared / 'data/pima/pima-indians-diabetes.csv'}"
    run_kedro(project, "run", "--env=pima", "--pipelines=tabular", "--params", source)
    metrics = json.loads((project / "data/08_reporting/pima/tabular_metrics.json").read_text())
    return metrics | {"reached": metrics["network"]["accuracy"]["mean"] >= 0.74}


def main() -> None:
    """Measure what is asked for and print it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", choices=[*MEASUREMENTS, []])
    parser.add_argument("--shared", type=Path, default=Path(__file__).parents[2] / "shared")
    given = parser.parse_args()
    found = {}
    for name in given.names or MEASUREMENTS:
        with throw_away_project() as project:
            found[name] = MEASUREMENTS[name](project, given.shared.resolve())
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
