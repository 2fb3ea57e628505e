"""Is a head as good as a ridge classifier where its rows do not fit into memory?

The features of the German traffic signs lie class by class, and the tracks are dealt to five
folds: each is measured once, the next one ends the training, the others are trained on. There a
row is repeated with small changes until there are thirty times as many, as many as a track of the
whole set has frames. The head, with the parameters of the base environment, is trained on all of
them in memory, and in pools of a tenth. The ridge classifier is that of the check of random splits;
it sees all rows at once. A head from pools of neighbours, which this project once drew, stands
beside them: it shows that the order matters here.

    python benchmarks/shuffling.py PROJECT [--folds 5]

PROJECT is one in which `kedro run --env=gtsrb` has made splits and features.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
import yaml
from sklearn.linear_model import RidgeClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from graft.analysis.clusters import deal_folds
from graft.datasets import FeatureShardsDataset
from graft.datasets.features import FeatureBlock, FeatureTable
from graft.parameters.training import HeadTrainingParameters
from graft.training.fitting import fit
from graft.training.heads_on_features import prepare_head
from graft.training.shuffling import RowPools, Rows

ROOT = Path(__file__).parents[1]
FOLDS, BLOCKS, REPEATS, CHANGE = 5, 20, 30, 0.1


class NeighbourPools(RowPools):
    """Blocks of neighbours in any order, as many to a pool as fit, each pool shuffled in itself."""

    def draw(self, random: np.random.Generator | None = None) -> Iterator[Rows]:
        """Every row once, a pool after the other."""
        if random is None:
            yield from super().draw()
            return
        blocks = np.array_split(np.arange(self.row_count), BLOCKS)
        order = np.concatenate([blocks[number] for number in random.permutation(BLOCKS)])
        for start in range(0, self.row_count, self._pool_rows):
            pool = order[start : start + self._pool_rows]
            yield from self._draw_pool(random.permutation(pool), in_order=False)


# What a pool holds of all rows. The last is what 128 MiB held of the whole GTSRB.
POOLINGS = {"one": (RowPools, 1), "many": (RowPools, 0.1), "neighbours": (NeighbourPools, 0.67)}


@dataclass
class Task:
    """Features on disk, class by class; rows of train, to stop by, and to measure on."""

    features: FeatureTable
    labels: np.ndarray
    train: np.ndarray
    stop: np.ndarray
    measure: np.ndarray

    def read(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Features (n, D) and class indices (n,)."""
        return self.features.read_rows(rows), self.labels[rows]


def make_task(project: Path, folder: Path, fold: int) -> Task:
    """Repeat every row of train with noise of a tenth of each feature's spread."""
    splits = pd.read_parquet(project / "data/03_primary/gtsrb/splits.parquet")
    stored = FeatureShardsDataset(filepath=str(project / "data/04_feature/gtsrb/features")).load()
    keys = stored.keys.merge(splits, on="image_id", how="left", validate="one_to_one")
    numbers = deal_folds(keys["label_index"].to_numpy(), keys["cluster"].to_numpy(), FOLDS, seed=0)
    sides = np.full(len(keys), "train", dtype=object)
    sides[numbers == (fold + 1) % FOLDS], sides[numbers == fold] = "stop", "measure"
    rows = keys["label_index"].to_numpy().argsort(kind="stable")
    rows = rows.repeat(np.where(sides[rows] == "train", REPEATS, 1))
    sides, vectors = sides[rows], stored.read_rows(rows)
    noise = CHANGE * vectors.std(axis=0)
    random = np.random.default_rng(fold)
    changes = random.standard_normal(((sides == "train").sum(), vectors.shape[1]), np.float32)
    vectors[sides == "train"] += noise * changes
    dataset = FeatureShardsDataset(filepath=str(folder / f"features_{fold}"))
    dataset.save([FeatureBlock(keys.iloc[rows], vectors)])
    named = [np.flatnonzero(sides == side) for side in ("train", "stop", "measure")]
    return Task(dataset.load(), keys["label_index"].to_numpy(np.int64)[rows], *named)


def classify_by_ridge(task: Task) -> np.ndarray:
    """Whether each row to measure on is classified rightly."""
    # As strong as in the check of random splits.
    ridge = make_pipeline(StandardScaler(), RidgeClassifier(alpha=task.features.dimension))
    ridge.fit(*task.read(task.train))
    vectors, labels = task.read(task.measure)
    return ridge.predict(vectors) == labels


def classify_by_head(task: Task, pooling: str, seed: int) -> tuple[np.ndarray, float]:
    """The same of a head, and the seconds of its training."""
    base = yaml.safe_load((ROOT / "conf/base/parameters_head_training.yml").read_text())
    settings = HeadTrainingParameters(**base["head_training"] | {"seed": seed})
    head = prepare_head(task.features.dimension, int(task.labels.max()) + 1, settings)
    make, share = POOLINGS[pooling]
    pool_bytes = math.ceil(len(task.train) * share) * task.features.dimension * 4
    train, stop = (
        make(task.features, rows, task.labels[rows], np.ones(len(rows), np.float32), pool_bytes)
        for rows in (task.train, task.stop)
    )
    began = time.perf_counter()
    fit(head, train, stop, settings)
    seconds = time.perf_counter() - began
    vectors, labels = task.read(task.measure)
    return head.predict(vectors, verbose=0).argmax(axis=1) == labels, seconds


def main() -> None:
    """Measure and print as JSON: accuracies over all folds, and seconds of all trainings."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("project", type=Path)
    parser.add_argument("--folds", type=int, default=FOLDS, help="measure only so many")
    options = parser.parse_args()
    hits: dict[str, list[np.ndarray]] = {name: [] for name in ("ridge", *POOLINGS)}
    seconds = dict.fromkeys(POOLINGS, 0.0)
    rows = 0
    for fold in range(options.folds):
        with TemporaryDirectory() as folder:
            task = make_task(options.project, Path(folder), fold)
            rows = len(task.train)
            hits["ridge"].append(classify_by_ridge(task))
            for name in POOLINGS:
                found, taken = classify_by_head(task, name, seed=fold)
                hits[name].append(found)
                seconds[name] += taken
    values = {name: float(np.concatenate(found).mean()) for name, found in hits.items()}
    print(json.dumps({"rows": rows, "accuracy": values, "seconds": seconds}))


if __name__ == "__main__":
    main()
