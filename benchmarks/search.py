"""The search of heads on real pictures: how fast it is, and what it does to test.

Usage: python benchmarks/search.py [--shared FOLDER] [--sets NAME ...] [--splits N] [--trials N]

Features are computed once a set. For every one of N splits, dealt anew over whole clusters
(60/20/20), the node of the stage searches, and heads are trained with Keras by the default
parameters and by what the search would write. A row: test accuracy of both, what it would have
been had the best trial always been taken, and the trials in a CPU minute (processor time of the
node). The last lines are rows of benchmarks/README.md.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from graft.analysis.clusters import deal_folds
from graft.datasets.features import FeatureTable
from graft.parameters.training import HeadTrainingParameters
from graft.pipelines.search.nodes import search_heads
from graft.pipelines.search.parameters import SearchParameters
from graft.training.backup import TrainingBackup
from graft.training.fitting import fit
from graft.training.heads_on_features import prepare_features, prepare_head
from run import run_kedro, throw_away_project

SETS = {
    "cats_vs_dogs": "data/cats_vs_dogs",
    "caltech101": "data/caltech101/101_ObjectCategories",
    "gtsrb": "data/gtsrb",
}
HEAD = HeadTrainingParameters(
    dropout=0.2, learning_rate=1e-3, weight_decay=1e-4, batch_size=32, epochs=200, patience=10,
    seed=42,
)  # fmt: skip
STAGES = "ingestion,splitting,decoding,feature_extraction"
SIDES = np.array(["test", "dev", "train", "train", "train"])


def extract(project: Path, name: str, shared: Path) -> tuple[FeatureTable, pd.DataFrame]:
    """Features and splits of a set."""
    weights = shared / "weights/mobilenet_v2_imagenet_no_top.weights.h5"
    given = f"source={shared / SETS[name]},weights={weights}"
    run_kedro(project, "run", f"--env={name}", f"--pipelines={STAGES}", "--params", given)
    features = FeatureTable(project / f"data/04_feature/{name}/features")
    return features, pd.read_parquet(project / f"data/03_primary/{name}/splits.parquet")


def deal(splits: pd.DataFrame, seed: int) -> pd.DataFrame:
    """The pictures divided anew, 60/20/20, whole clusters on one side."""
    labels, clusters = (splits[name].to_numpy(np.int64) for name in ("label_index", "cluster"))
    return splits.assign(split=SIDES[deal_folds(labels, clusters, 5, seed)])


def measure_test(
    features: FeatureTable, splits: pd.DataFrame, classes: int, parameters: HeadTrainingParameters
) -> float:
    """Accuracy on test of a head that Keras trains."""
    head = prepare_head(features.dimension, classes, parameters)
    train, dev, _ = prepare_features(features, splits, classes, parameters)
    fit(head, train, dev, parameters)
    test = splits[splits["split"] == "test"]
    found = head.predict(features.read(test["image_id"]), verbose=0).argmax(axis=1)
    return float((found == test["label_index"]).mean())


def measure(features: FeatureTable, splits: pd.DataFrame, seed: int, trials: int) -> dict[str, Any]:
    """A row: one split searched, and heads trained by both parameters."""
    classes = int(splits["label_index"].max()) + 1
    dealt = deal(splits, seed)
    names = [str(number) for number in range(classes)]
    search = SearchParameters(
        space="head", trials=trials, minutes=None, folds=4, workers=1, seed=seed
    )
    with tempfile.TemporaryDirectory() as folder:
        started = time.process_time()
        _, verdict = search_heads(
            features, dealt, names, TrainingBackup(Path(folder)), HEAD, search
        )
        seconds = time.process_time() - started
    winner = {path.partition(".")[2]: now for path, (_, now) in verdict["changes"].items()}
    default = measure_test(features, dealt, classes, HEAD)
    best = default
    if verdict["winner"] != 0:
        best = measure_test(features, dealt, classes, HEAD.model_copy(update=winner))
    return {
        "seed": seed, "pictures": verdict["pictures"], "default": default,
        "search": best if verdict["is_taken"] else default, "best": best,
        "gain": verdict["gain"], "error": verdict["error"], "is_taken": verdict["is_taken"],
        "per_minute": 60 * trials / seconds,
    }  # fmt: skip


def main() -> None:
    """Measure, print a line a split, and the rows of the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--shared", type=Path, default=Path(__file__).parents[2] / "shared")
    parser.add_argument(
        "--sets", nargs="+", choices=[*SETS], default=["cats_vs_dogs", "caltech101"]
    )
    parser.add_argument("--splits", type=int, default=8)
    parser.add_argument("--trials", type=int, default=100)
    options = parser.parse_args()
    found: dict[str, list[dict[str, Any]]] = {}
    print("set           split  test: default  search   best   cv gain (error)   trials/CPU min")
    for name in options.sets:
        with throw_away_project() as project:
            features, splits = extract(project, name, options.shared.resolve())
            for seed in range(options.splits):
                row = measure(features, splits, seed, options.trials)
                found.setdefault(name, []).append(row)
                print(
                    f"{name:<13} {seed:>4}   {row['default']:>12.3f}  {row['search']:>7.3f}"
                    f" {row['best']:>6.3f}   {100 * row['gain']:+.1f} ({100 * row['error']:.1f})"
                    f"{'  taken' if row['is_taken'] else '':<8} {row['per_minute']:>8.0f}",
                    flush=True,
                )
    rows = [row for each in found.values() for row in each]
    speed = float(np.median([row["per_minute"] for row in rows]))
    print(f"| search: trials of heads in a CPU minute, median | {speed:.0f} | ≥ 100 |")
    for name, each in found.items():
        changes, always = (
            100 * np.array([row[key] - row["default"] for row in each])
            for key in ("search", "best")
        )
        print(
            f"| search, {len(each)} splits of {name}: change of test accuracy in points, mean / "
            f"worst (best trial always taken) | {changes.mean():+.2f} / {changes.min():+.1f} "
            f"({always.mean():+.2f} / {always.min():+.1f}) | ≥ −0.2 / ≥ −3 |"
        )
    print(json.dumps(found))


if __name__ == "__main__":
    main()
