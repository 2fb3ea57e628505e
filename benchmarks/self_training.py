"""What do pictures without a label add to a few with one? Print the rows of a table.

Usage: python benchmarks/self_training.py [--shared FOLDER] [--draws N] [--rows NAME ...]

A draw: 40 % of the pictures are test (whole tracks of traffic signs), 20 % dev, some of the rest
have a label, equally many of each class, and all others of the rest are the pool. Rows:

* the plain ones, by set and number of labels in all;
* skewed: the pool has a tenth of the pictures of every second class;
* foreign: half the classes of Caltech have no label; their pictures stand in the pool, and test
  and dev are without them.

Cells: gain in test accuracy over the teacher, a logistic regression (C = 1) on the labels alone,
in points: of the way that dev chose (with the 95 % interval of a bootstrap over the draws), of both
students, and of a stronger penalty alone; and draws that the chosen way harmed by over a point.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from graft.analysis.familiarity import fit_familiarity
from graft.analysis.self_training import RIVAL, TEACHER, WAYS, Labelled, choose_way, judge_ways
from label_next import SETS, list_pictures, read_features


@dataclass(frozen=True)
class Row:
    """A row of the table.

    Attributes:
        name: Of the set.
        labels: In all.
        pool: ``plain``, ``skewed`` or ``foreign``.
        bar: Gain in points that is wanted; None where it is stated only.
    """

    name: str
    labels: int
    pool: str = "plain"
    bar: float | None = None


ROWS = {
    "cats_12": Row("cats_vs_dogs", 12, bar=1.3),
    "cats_60": Row("cats_vs_dogs", 60, bar=0.0),
    "caltech_12": Row("caltech101", 12, bar=6.0),
    "caltech_36": Row("caltech101", 36),
    "cats_12_skewed": Row("cats_vs_dogs", 12, "skewed", bar=0.0),
    "caltech_36_skewed": Row("caltech101", 36, "skewed", bar=0.0),
    "caltech_18_foreign": Row("caltech101", 18, "foreign", bar=0.0),
    "gtsrb_43": Row("gtsrb", 43),
}
REFUSED, NEIGHBOURS = 0.05, 5


def deal(
    row: Row, features: np.ndarray, classes: np.ndarray, groups: np.ndarray, seed: int
) -> tuple[Labelled, Labelled, np.ndarray, Labelled, int]:
    """Train, dev, features of the pool, test, and the number of classes of one draw."""
    random = np.random.default_rng(seed)
    order = random.permutation(groups.max() + 1)
    first, second = int(0.4 * len(order)), int(0.6 * len(order))
    is_test, is_dev = np.isin(groups, order[:first]), np.isin(groups, order[first:second])
    rest = random.permutation(np.flatnonzero(~is_test & ~is_dev))
    known = classes.max() + 1 if row.pool != "foreign" else (classes.max() + 1) // 2
    each = row.labels // known
    train = np.concatenate([rest[classes[rest] == number][:each] for number in range(known)])
    pool = rest[~np.isin(rest, train)]
    # A sign whose tracks all lie in test or dev is left out.
    present = np.unique(classes[train])
    if row.pool == "skewed":
        is_rare = classes[pool] % 2 == 1
        pool = np.concatenate([pool[~is_rare], pool[is_rare][: is_rare.sum() // 10]])

    def take(rows: np.ndarray) -> Labelled:
        return Labelled(features[rows], np.searchsorted(present, classes[rows]), groups[rows])

    sides = [np.flatnonzero(side & np.isin(classes, present)) for side in (is_dev, is_test)]
    return take(train), take(sides[0]), features[pool], take(sides[1]), len(present)


def measure(row: Row, draws: int, shared: Path) -> str:
    """A row of the table of benchmarks/README.md."""
    size, _ = SETS[row.name]
    files, classes, groups = list_pictures(shared, row.name)
    features = read_features(shared, files, size)
    gains: dict[str, list[float]] = {name: [] for name in ("chosen", *WAYS[1:], RIVAL)}
    before, chosen_ways = [], []
    for seed in range(draws):
        train, dev, pool, test, known = deal(row, features, classes, groups, seed)
        near = fit_familiarity(train.features, dev.features, NEIGHBOURS, REFUSED, train.clusters)
        pool = pool[near.measure(pool) <= near.threshold]
        judged, classifiers = judge_ways(train, dev, pool, known)
        reached = {
            way: 100 * float((one.predict(test.features).argmax(axis=1) == test.labels).mean())
            for way, one in classifiers.items()
        }
        before.append(reached[TEACHER])
        chosen_ways.append(choose_way(judged))
        for name in gains:
            way = chosen_ways[-1] if name == "chosen" else name
            gains[name].append(reached[way] - reached[TEACHER])
    chosen = np.array(gains["chosen"])
    resampled = np.random.default_rng(0).choice(chosen, (10_000, draws)).mean(axis=1)
    low, high = np.quantile(resampled, [0.025, 0.975])
    others = " | ".join(f"{np.mean(gains[name]):+.1f}" for name in (*WAYS[1:], RIVAL))
    kept = sum(way == TEACHER for way in chosen_ways)
    bar = "" if row.bar is None else f" (bar {row.bar:+.1f})"
    return (
        f"| {row.name}, {row.labels} labels, {row.pool} | {np.mean(before):.1f} | "
        f"{chosen.mean():+.1f} ({low:+.1f} to {high:+.1f}){bar} | {others} | {kept} of {draws} | "
        f"{(chosen < -1).sum()} of {draws} |"
    )


def main() -> None:
    """Measure and print a line a row."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--shared", type=Path, default=Path(__file__).parents[2] / "shared")
    parser.add_argument("--draws", type=int, default=10)
    parser.add_argument("--rows", nargs="+", choices=[*ROWS], default=[*ROWS])
    options = parser.parse_args()
    print(
        "| set, labels, pool | teacher | chosen by dev | student | balanced | stronger penalty "
        "| refused | harmed |"
    )
    for name in options.rows:
        print(measure(ROWS[name], options.draws, options.shared), flush=True)


if __name__ == "__main__":
    main()
