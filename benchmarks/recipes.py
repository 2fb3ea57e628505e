"""The race of recipes on real pictures: what it reaches, what it costs, what the head alone has.

Usage: python benchmarks/recipes.py [--shared FOLDER] [--sets NAME ...] [--seeds N ...] [--regret]

For every set and seed (of the split and of all else) one `kedro run` with `fine_tuning.recipe:
auto`. A row: test accuracy of the frozen head and of what dev chose, the recipe that won, seconds
of the whole run, and what the race cost against the winner alone, in passes. `--regret` then runs
every recipe to its end as well and says how far the race stayed below the best of them by test.
The last line is JSON.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import pandas as pd

from graft.training.tuning_recipes import NAMES
from run import read_accuracy, read_chosen, run_kedro, throw_away_project

SETS = {
    "digits": None,
    "gtsrb": "data/gtsrb",
    "cats_vs_dogs": "data/cats_vs_dogs",
    "caltech101": "data/caltech101/101_ObjectCategories",
}


def run_set(project: Path, name: str, shared: Path, seed: int, **more: str) -> float:
    """Seconds of a run of the whole way."""
    parameters: dict[str, object] = {"seed": seed, **more}
    if SETS[name] is not None:
        parameters["source"] = shared / SETS[name]
        parameters["weights"] = shared / "weights/mobilenet_v2_imagenet_no_top.weights.h5"
    text = ",".join(f"{key}={value}" for key, value in parameters.items())
    env = () if name == "digits" else (f"--env={name}",)
    return run_kedro(project, "run", *env, "--params", text)


def read_race(project: Path, name: str) -> dict[str, object]:
    """What came of a run: accuracies on test, the recipe, and its share of the cost."""
    chosen = read_chosen(project, name)
    recipe = json.loads((project / f"data/06_models/{name}/fine_tuned_recipe.json").read_text())
    race = pd.read_csv(project / f"data/06_models/{name}/recipe_race.csv")
    passes = race.groupby("runner")["passes"].max()
    alone = passes[recipe["recipe"]]
    return {
        "frozen": read_accuracy(project, name),
        "auto": read_accuracy(project, name, chosen),
        "chosen": chosen,
        "winner": recipe["recipe"],
        "dev": recipe["dev_accuracy"],
        "passes": float(passes.sum()),
        "cost": float(passes.sum() / alone) if alone else None,
    }


def measure(name: str, shared: Path, seed: int, *, regret: bool) -> dict[str, object]:
    """A row of the table."""
    with throw_away_project() as project:
        seconds = run_set(project, name, shared, seed)
        found = {"set": name, "seed": seed, **read_race(project, name), "seconds": seconds}
        if regret:
            each = {}
            for recipe in NAMES:
                run_set(project, name, shared, seed, **{"fine_tuning.recipe": recipe})
                model = "frozen" if recipe == "head" else "fine_tuned"
                each[recipe] = read_accuracy(project, name, model)
            found |= {"each": each, "regret": max(each.values()) - found["auto"]}
    return found


def main() -> None:
    """Measure, print a line a run, a line a set, and all of it as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--shared", type=Path, default=Path(__file__).parents[2] / "shared")
    parser.add_argument("--sets", nargs="+", choices=[*SETS], default=[*SETS])
    parser.add_argument("--seeds", nargs="+", type=int, default=[42])
    parser.add_argument("--regret", action="store_true")
    options = parser.parse_args()
    rows = []
    print("set           seed  frozen  auto   winner      seconds  passes  cost of auto / winner")
    for name in options.sets:
        for seed in options.seeds:
            row = measure(name, options.shared.resolve(), seed, regret=options.regret)
            rows.append(row)
            cost = "–" if row["cost"] is None else f"{row['cost']:.2f}"
            print(
                f"{name:<13} {seed:>4}  {row['frozen']:.3f}  {row['auto']:.3f}  "
                f"{row['winner']:<11} {row['seconds']:>6.0f}  {row['passes']:>6.0f}  {cost}"
                + (f"  regret {100 * row['regret']:+.1f}" if options.regret else ""),
                flush=True,
            )
        own = [row for row in rows if row["set"] == name]
        if len(own) > 1:
            means = {key: np.mean([row[key] for row in own]) for key in ("frozen", "auto")}
            print(f"{name:<13} mean  {means['frozen']:.3f}  {means['auto']:.3f}", flush=True)
    print(json.dumps(rows))


if __name__ == "__main__":
    main()
