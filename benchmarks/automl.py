"""Searches for a small network on cats and dogs at 50×50 in grey, five minutes each.

Usage: python benchmarks/automl.py [--shared FOLDER] [--minutes N] [--seed N]

In one project of the environment `cats_vs_dogs_baseline`: its network, what `search.space: network`
finds from there, and what AutoKeras finds; trained on the same train, chosen by cross-validation or
dev, and measured on the same test. The last lines are rows of benchmarks/README.md; of 240
pictures, a figure is ± 6 points.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import pandas as pd

from run import run_kedro, throw_away_project

NAME = "cats_vs_dogs_baseline"


def read_test(project: Path, candidate: str) -> float:
    """Accuracy on test of a candidate's predictions."""
    table = pd.read_parquet(
        project / f"data/07_model_output/{NAME}/{candidate}/predictions.parquet"
    )
    test = table[table["split"] == "test"]
    return float((test["predicted"] == test["label"]).mean())


def main() -> None:
    """Measure and print the rows."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--shared", type=Path, default=Path(__file__).parents[2] / "shared")
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--seed", type=int, default=42)
    options = parser.parse_args()
    source = options.shared.resolve() / "data/cats_vs_dogs"
    given = f"source={source},image_size=64,seed={options.seed}"
    with throw_away_project() as project:

        def run(pipelines: str, params: str, env: str = NAME) -> None:
            seconds = run_kedro(
                project, "run", f"--env={env}", f"--pipelines={pipelines}", "--params", params
            )
            print(f"{pipelines} ({env}): {seconds:.0f} s", flush=True)

        run("ingestion,splitting,decoding", given)
        run("from_scratch", given)
        plain = read_test(project, "from_scratch")
        budget = f"search.minutes={options.minutes},search.trials=1000"
        run("search", f"{given},search.space=network,{budget}")
        page = pd.read_csv(project / f"data/08_reporting/{NAME}/search_trials.csv")
        run("from_scratch", given, "searched")
        found = read_test(project, "from_scratch")
        run("autokeras", f"{given},autokeras.minutes={options.minutes}")
        automatic = read_test(project, "autokeras")
    ended = int(page["accuracy"].notna().sum())
    print(f"| the network of the environment, no search | {plain:.3f} | |")
    print(f"| `search.space: network`, {len(page)} trials, {ended} to their end | {found:.3f} | |")
    print(f"| AutoKeras | {automatic:.3f} | |")


if __name__ == "__main__":
    main()
