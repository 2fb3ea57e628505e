"""The race of recipes on real pictures: what it reaches, what it costs, and what others reach.

Usage: python benchmarks/recipes.py [--shared FOLDER] [--sets NAME ...] [--seeds N ...]
           [--few train|all] [--regret] [--peer] [--tutorial] [--skip-auto]

For every set and seed (of the split and of all else) one `kedro run` with `fine_tuning.recipe:
auto`. A row: test accuracy of the frozen head and of what dev chose, the recipe that won, seconds
of the whole run, and what the race cost against the winner alone, in passes. In the same project,
with the same pictures, split, weights and evaluation,

`--regret` runs every recipe to its end as well and says how far the race stayed below the best of
them by test;
`--peer` trains as a popular library does: one epoch of the head alone, then 30 of all layers with
a rate that rises for a quarter of the steps and falls as a cosine, in the first block a tenth of
what it is in the last (BatchNormalization stays as it is, and the best epoch on dev is kept);
`--tutorial` trains as tutorials do, in a process of its own (`two_stages.py`).

`--few train` leaves ten labels a class to train on (of signs two tracks), and dev and test whole;
`--few all` leaves ten for train and dev together, seven and three (of signs a track each).
The last line is JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from graft.training.tuning_recipes import NAMES
from run import read_accuracy, read_chosen, run_kedro, throw_away_project

CALTECH = "data/caltech101/101_ObjectCategories"
# Environment and pictures of every set; of the last two classes alone.
SETS = {
    "digits": ("base", None),
    "gtsrb": ("gtsrb", "data/gtsrb/Final_Training/Images"),
    "cats_vs_dogs": ("cats_vs_dogs", "data/cats_vs_dogs"),
    "caltech101": ("caltech101", CALTECH),
    "two_animals": ("caltech101", CALTECH),
}
TWO = ("butterfly", "starfish")
# Labels a class that are left of train, and of train and dev; of signs tracks.
FEW = {"train": (10, None), "all": (7, 3)}
FEW_TRACKS = {"train": (2, None), "all": (1, 1)}
PEER_EPOCHS, BLOCKS = 30, 18


class Project:
    """A throw-away project with one set of pictures, split by one seed.

    Args:
        folder: Of the project.
        name: Of the set.
        shared: Folder with pictures and weights.
        seed: Of the split and of all else.
    """

    def __init__(self, folder: Path, name: str, shared: Path, seed: int) -> None:
        self.folder, self.seed = folder, seed
        self.env, source = SETS[name]
        self.dataset = "digits" if self.env == "base" else self.env
        self.source = None if source is None else shared / source
        self.weights = shared / "weights/mobilenet_v2_imagenet_no_top.weights.h5"
        if name == "two_animals":
            pair = folder / "pictures_of_two"
            for label in TWO:
                shutil.copytree(shared / CALTECH / label, pair / label)
            self.source = pair

    def run(self, *stages: str, **parameters: object) -> float:
        """Seconds of a run, of the whole way or of some stages."""
        given: dict[str, object] = {"seed": self.seed, **parameters}
        if self.source is not None:
            given |= {"source": self.source, "weights": self.weights}
        text = ",".join(f"{key}={value}" for key, value in given.items())
        env = () if self.env == "base" else (f"--env={self.env}",)
        chosen = (f"--pipelines={','.join(stages)}",) if stages else ()
        try:
            return run_kedro(self.folder, "run", *env, *chosen, "--params", text)
        except subprocess.CalledProcessError as error:
            raise SystemExit((error.stdout + error.stderr).decode()[-3000:]) from error

    def read_splits(self) -> pd.DataFrame:
        """A row a picture."""
        return pd.read_parquet(self.folder / f"data/03_primary/{self.dataset}/splits.parquet")

    def thin(self, few: str) -> None:
        """Leave a few labels a class; every picture that is left keeps its side.

        The pictures are dealt out once as they all are; those that are left are copied to a folder
        of their own, which the next run takes, and knows again by their bytes.
        """
        self.run("ingestion", "splitting")
        assert self.source is not None
        splits = self.read_splits()
        by_track = splits["group"].notna().any()
        counts = (FEW_TRACKS if by_track else FEW)[few]
        kept = splits[splits["split"] == "test"]
        for side, count in zip(("train", "dev"), counts, strict=True):
            own = splits[splits["split"] == side]
            units = own["group"] if by_track else own["image_id"]
            random = np.random.default_rng([self.seed, len(side)])
            for _, names in units.groupby(own["label"]):
                unique = np.unique(names)
                chosen = unique if count is None else random.permutation(unique)[:count]
                kept = pd.concat([kept, own[units.isin(chosen) & own.index.isin(names.index)]])
        place = self.folder / "few_pictures"
        for image_id in kept["image_id"]:
            (place / image_id).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(self.source / image_id, place / image_id)
        for table in self.source.rglob("*.csv"):
            folder = place / table.parent.relative_to(self.source)
            rows = pd.read_csv(table, sep=";")
            rows = rows[[(folder / name).exists() for name in rows["Filename"]]]
            if len(rows):
                rows.to_csv(folder / table.name, sep=";", index=False)
        self.source = place

    def read(self, model: str = "frozen") -> float:
        """Test accuracy of a model in the last run."""
        return read_accuracy(self.folder, self.dataset, model)


STAGES = (
    "ingestion", "splitting", "decoding", "feature_extraction", "head_training", "fine_tuning",
    "selection", "evaluation",
)  # fmt: skip


def measure_auto(project: Project) -> dict[str, object]:
    """What came of a run: accuracies on test, the recipe, and its share of the cost."""
    seconds = project.run()
    models = project.folder / "data/06_models" / project.dataset
    recipe = json.loads((models / "fine_tuned_recipe.json").read_text())
    race = pd.read_csv(models / "recipe_race.csv")
    passes = race[race["measured_on"] == "dev"].groupby("runner")["passes"].max()
    alone = passes[recipe["recipe"]]
    chosen = read_chosen(project.folder, project.dataset)
    counts = project.read_splits()["split"].value_counts().to_dict()
    return {
        "frozen": project.read(),
        "auto": project.read(chosen),
        "tuned": project.read("fine_tuned"),
        "chosen": chosen,
        "winner": recipe["recipe"],
        "on": recipe["chosen_on"],
        "mirroring": recipe["mirroring"],
        "dev": recipe["dev_accuracy"],
        "passes": float(passes.sum()),
        "cost": float(passes.sum() / alone) if alone else None,
        "seconds": seconds,
        "pictures": counts,
    }


def measure_each(project: Project) -> dict[str, float]:
    """Test accuracy of every recipe that is run to its end."""
    each = {}
    for name in NAMES:
        project.run(*STAGES, **{"fine_tuning.recipe": name})
        each[name] = project.read("frozen" if name == "head" else "fine_tuned")
    return each


def measure_peer(project: Project) -> dict[str, float]:
    """Test accuracy of the peer's way: by this project's own loop, with the peer's parameters."""
    seconds = project.run(
        *STAGES,
        **{
            "head_training.epochs": 1, "head_training.patience": 1,
            "fine_tuning.recipe": "custom", "fine_tuning.unfreeze": "all",
            "fine_tuning.learning_rate": 1e-3, "fine_tuning.schedule": "cosine",
            "fine_tuning.warmup_share": 0.25, "fine_tuning.epochs": PEER_EPOCHS,
            "fine_tuning.patience": PEER_EPOCHS, "fine_tuning.keep": "accuracy",
            "fine_tuning.layer_decay": round(0.1 ** (1 / (BLOCKS - 1)), 4),
        },
    )  # fmt: skip
    return {"accuracy": project.read("fine_tuned"), "seconds": seconds}


def measure_tutorial(project: Project) -> dict[str, float]:
    """Test accuracy of the tutorials' way (`two_stages.py`); seconds of its training alone."""
    project.run(*STAGES[:3])
    splits = project.folder / f"data/03_primary/{project.dataset}/splits.parquet"
    images = project.folder / f"data/05_model_input/{project.dataset}/images.npy"
    flip = () if project.dataset == "gtsrb" else ("--flip",)
    program = Path(__file__).with_name("two_stages.py")
    # Not as this project sets it (`runtime.py`), which would make it faster than any notebook.
    by_default = {**os.environ, "TF_CPU_ALLOCATOR_USE_BFC": "false"}
    command = [sys.executable, program, images, splits, project.weights, project.seed, *flip]
    done = subprocess.run(
        list(map(str, command)), env=by_default, check=True, stdout=subprocess.PIPE
    )
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


@contextmanager
def open_project(name: str, shared: Path, seed: int, few: str | None) -> Iterator[Project]:
    """A project with the pictures of a row."""
    with throw_away_project() as folder:
        project = Project(folder, name, shared, seed)
        if few:
            project.thin(few)
        yield project


def measure(name: str, shared: Path, seed: int, options: argparse.Namespace) -> dict[str, Any]:
    """A row of the table."""
    found: dict[str, Any] = {"set": name, "seed": seed, "few": options.few}
    with open_project(name, shared, seed, options.few) as project:
        if not options.skip_auto:
            found |= measure_auto(project)
        if options.regret:
            each = measure_each(project)
            best = max(each.values())
            found |= {"each": each}
            if not options.skip_auto:
                found |= {"regret": best - float(str(found["auto"]))}
        if options.peer:
            found |= {"peer": measure_peer(project)}
        if options.tutorial:
            found |= {"tutorial": measure_tutorial(project)}
    return found


HEADINGS = (
    "| set, seed | frozen, test | auto, test | winner, by | passes, against the winner alone "
    "| seconds | others |"
)


def format_row(row: dict[str, Any]) -> str:
    """A row of the table of benchmarks/README.md."""
    few = f", few ({row['few']})" if row["few"] else ""
    name = f"{row['set']}{few}, {row['seed']}"
    others = []
    if "each" in row:
        each = ", ".join(f"{recipe} {value:.3f}" for recipe, value in row["each"].items())
        others.append(f"each: {each}")
    if "regret" in row:
        others.append(f"regret {100 * row['regret']:+.1f}")
    for way in ("peer", "tutorial"):
        if way in row:
            others.append(f"{way} {row[way]['accuracy']:.3f} in {row[way]['seconds']:.0f} s")
    if "auto" not in row:
        return f"| {name} | | | | | | {'; '.join(others)} |"
    cost = "" if row["cost"] is None else f" = {row['cost']:.2f}"
    return (
        f"| {name} | {row['frozen']:.3f} | {row['auto']:.3f} | {row['winner']}, {row['on']} | "
        f"{row['passes']:.0f}{cost} | {row['seconds']:.0f} | {'; '.join(others)} |"
    )


def main() -> None:
    """Measure, print a line a run, a line a set, and all of it as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--shared", type=Path, default=Path(__file__).parents[2] / "shared")
    parser.add_argument("--sets", nargs="+", choices=[*SETS], default=[*SETS])
    parser.add_argument("--seeds", nargs="+", type=int, default=[42])
    parser.add_argument("--few", choices=[*FEW])
    for way in ("regret", "peer", "tutorial", "skip-auto"):
        parser.add_argument(f"--{way}", action="store_true")
    options = parser.parse_args()
    rows = []
    print(HEADINGS)
    for name in options.sets:
        if name == "digits" and (options.few or options.peer or options.tutorial):
            continue  # no MobileNetV2, and few labels of them are a pipeline of its own, few_shot
        for seed in options.seeds:
            rows.append(measure(name, options.shared.resolve(), seed, options))
            print(format_row(rows[-1]), flush=True)
        own = [row for row in rows if row["set"] == name and "auto" in row]
        if len(own) > 1:
            means = {key: np.mean([row[key] for row in own]) for key in ("frozen", "auto")}
            print(f"| {name}, mean | {means['frozen']:.3f} | {means['auto']:.3f} |", flush=True)
    print(json.dumps(rows))


if __name__ == "__main__":
    main()
