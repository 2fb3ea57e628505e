"""Is a head as good as a ridge classifier where its rows do not fit into memory?

The features of the German traffic signs lie class by class. Each row is repeated with small
changes until there are ten times as many, and the head, with the parameters of the base
environment, is trained on all of them in memory and in pools of a tenth. The ridge classifier is
that of the check of random splits; it sees all rows at once.

    python benchmarks/shuffling.py PROJECT [--seeds 5]

PROJECT is one in which `kedro run --env=gtsrb` has made splits and features.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd
import yaml
from sklearn.linear_model import RidgeClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from graft.datasets import FeatureShardsDataset
from graft.datasets.features import FeatureBlock, FeatureTable
from graft.models import head_preparation
from graft.models.fitting import fit
from graft.models.row_pools import RowPools
from graft.training_parameters import HeadTrainingParameters

ROOT = Path(__file__).parents[1]
REPEATS, POOLS, CHANGE = 10, 10, 0.1


@dataclass
class Task:
    """Features on disk, class by class, of train and dev."""

    features: FeatureTable
    splits: pd.DataFrame
    class_count: int

    def read(self, split: str) -> tuple[np.ndarray, np.ndarray]:
        """Features (n, D) and class indices (n,) of a split."""
        rows = np.flatnonzero(self.splits["split"] == split)
        return self.features.read_rows(rows), self.splits["label_index"].to_numpy()[rows]


def make_task(project: Path, folder: Path) -> Task:
    """Repeat every row of train with noise of a tenth of each feature's spread."""
    splits = pd.read_parquet(project / "data/03_primary/gtsrb/splits.parquet")
    stored = FeatureShardsDataset(filepath=str(project / "data/04_feature/gtsrb/features")).load()
    splits = stored.keys.merge(splits, on="image_id", how="left", validate="one_to_one")
    splits = splits[splits["split"].isin(["train", "dev"])].sort_values("label_index")
    rows = splits.index.to_numpy()
    times = np.where(splits["split"] == "train", REPEATS, 1)
    splits = splits.loc[rows.repeat(times)].reset_index(drop=True)
    splits["image_id"] = [f"{name} {row}" for row, name in enumerate(splits["image_id"])]
    random = np.random.default_rng(0)
    vectors = stored.read_rows(rows)
    noise = CHANGE * vectors.std(axis=0)
    vectors = vectors.repeat(times, axis=0)
    is_train = (splits["split"] == "train").to_numpy()
    vectors[is_train] += noise * random.standard_normal(vectors[is_train].shape, np.float32)
    dataset = FeatureShardsDataset(filepath=str(folder / "features"))
    dataset.save([FeatureBlock(splits[["image_id", "image_sha256", "view"]], vectors)])
    columns = ["image_id", "label", "label_index", "split"]
    return Task(dataset.load(), splits[columns], int(splits["label_index"].max()) + 1)


def measure_ridge(task: Task) -> float:
    """Accuracy on dev."""
    # As strong as in the check of random splits.
    ridge = make_pipeline(StandardScaler(), RidgeClassifier(alpha=task.features.dimension))
    return float(ridge.fit(*task.read("train")).score(*task.read("dev")))


def measure_head(task: Task, pool_count: int, seed: int) -> tuple[float, float]:
    """Accuracy on dev of a head that is trained from so many pools, and the seconds."""
    base = yaml.safe_load((ROOT / "conf/base/parameters_head_training.yml").read_text())
    settings = HeadTrainingParameters(**base["head_training"] | {"seed": seed})
    head = head_preparation.prepare_head(task.features.dimension, task.class_count, settings)
    train, dev, _ = head_preparation.prepare_features(
        task.features, task.splits, task.class_count, settings
    )
    rows = task.splits.index[task.splits["split"] == "train"].to_numpy()
    labels = task.splits["label_index"].to_numpy()[rows]
    pool_bytes = math.ceil(len(rows) / pool_count) * task.features.dimension * 4
    train = RowPools(task.features, rows, labels, np.ones(len(rows), np.float32), pool_bytes)
    began = time.perf_counter()
    fit(head, train, dev, settings)
    seconds = time.perf_counter() - began
    vectors, right = task.read("dev")
    return float((head.predict(vectors, verbose=0).argmax(axis=1) == right).mean()), seconds


def main() -> None:
    """Measure and print as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("project", type=Path)
    parser.add_argument("--seeds", type=int, default=5)
    options = parser.parse_args()
    with TemporaryDirectory() as folder:
        task = make_task(options.project, Path(folder))
        found: dict[str, Any] = {"rows": int((task.splits["split"] == "train").sum())}
        found["ridge"] = measure_ridge(task)
        for name, pool_count in (("one", 1), ("many", POOLS)):
            runs = [measure_head(task, pool_count, seed) for seed in range(options.seeds)]
            found[name], seconds = (list(part) for part in zip(*runs, strict=True))
            found[f"{name}_seconds"] = float(np.median(seconds))
    print(json.dumps(found))


if __name__ == "__main__":
    main()
