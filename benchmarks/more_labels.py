"""Is it true what is told of more labels? Print the rows of a table.

Usage: python benchmarks/more_labels.py [--shared FOLDER] [--features FOLDER] [--draws N]
    [--sets NAME ...] [--chosen]

A person labels pictures at random (three of each class first, as a split needs them), or those
that :mod:`graft.analysis.next_labels` chooses (``--chosen``). Of the labels 60 % are for train and
20 % each for dev and test. :func:`graft.analysis.more_labels.foretell_gain` says from train and
dev what another 50 labels would gain; then they are given, and a logistic regression trained
before and after is measured on 40 % of the pictures that nobody labels (whole tracks of traffic
signs). The truth is the mean gain over the draws, which has a standard error of its own; an
interval holds if it holds it within that error.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from sklearn.linear_model import LogisticRegression

from graft.analysis.more_labels import foretell_gain
from graft.analysis.next_labels import choose_next
from graft.analysis.refits import Pictures
from label_next import SETS, list_pictures, read_features

LABELS, MORE = (60, 120, 250, 500), 50
# Side of the first, second, … picture, or track, of a class.
SIDES = np.array(["train", "dev", "test", "train", "train"])


def order_labels(
    features: np.ndarray, classes: np.ndarray, groups: np.ndarray, pool: np.ndarray, seed: int,
    count: int, *, chosen: bool,
) -> np.ndarray:  # fmt: skip
    """Rows of the pool in the order in which they are labelled, int (count,)."""
    drawn = np.random.default_rng(seed).permutation(pool)
    _, firsts = np.unique(groups[drawn], return_index=True)
    firsts = drawn[np.sort(firsts)]  # a picture a group
    begun = np.concatenate([firsts[classes[firsts] == c][:3] for c in np.unique(classes)])
    if not chosen:
        return np.concatenate([begun, drawn[~np.isin(drawn, begun)]])[:count]
    while len(begun) < count:
        left = np.setdiff1d(pool, begun)
        found = choose_next(
            features[left], features[begun], (features[begun], classes[begun]),
            int(classes.max()) + 1, min(MORE, count - len(begun)), 3, seed,
        )  # fmt: skip
        begun = np.concatenate([begun, left[found.rows]])
    return begun


def deal(classes: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """Side of every labelled picture; a group is on one side, and stays when others come."""
    _, firsts, codes = np.unique(groups, return_index=True, return_inverse=True)
    place = np.empty(len(firsts), np.int64)
    seen: dict[int, int] = {}
    for code in np.argsort(firsts):
        kind = int(classes[firsts[code]])
        place[code] = seen.get(kind, 0)
        seen[kind] = place[code] + 1
    return SIDES[place[codes] % len(SIDES)]


def measure(
    features: np.ndarray, classes: np.ndarray, groups: np.ndarray, labels: int, seed: int,
    *, chosen: bool,
) -> tuple[float, float, float, float]:  # fmt: skip
    """What is told (gain, low, high; NaN where nothing is) and what comes true, of one draw."""
    units = np.random.default_rng(0).permutation(groups.max() + 1)
    is_pool = np.isin(groups, units[: int(0.6 * len(units))])
    rows = order_labels(
        features, classes, groups, np.flatnonzero(is_pool), seed, labels + MORE, chosen=chosen
    )
    side = deal(classes[rows], groups[rows])
    errors = []
    for count in (labels, labels + MORE):
        train = rows[:count][side[:count] == "train"]
        model = LogisticRegression(max_iter=300).fit(features[train], classes[train])
        errors.append(float((model.predict(features[~is_pool]) != classes[~is_pool]).mean()))
    known = rows[:labels][side[:labels] != "test"]
    trained = int((side[:labels] == "train").sum())
    told = foretell_gain(
        Pictures(features[known], classes[known], groups[known]), trained,
        round(MORE * trained / labels), seed,
    )  # fmt: skip
    return told.gain, told.low, told.high, errors[0] - errors[1]


def load(shared: Path, kept: Path | None, name: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Features, class and group of every picture of a set; features from a file if there is one."""
    file = kept / f"{name}.npz" if kept else None
    if file and file.exists():
        with np.load(file) as arrays:
            return arrays["x"], arrays["y"], arrays["g"]
    files, classes, groups = list_pictures(shared, name)
    features = read_features(shared, files, SETS[name][0])
    if file:
        np.savez(file, x=features, y=classes, g=groups)
    return features, classes, groups


def main() -> None:
    """Measure, and print a row a set and number of labels."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--shared", type=Path, default=Path(__file__).parents[2] / "shared")
    parser.add_argument("--features", type=Path, help="Folder in which features are kept.")
    parser.add_argument("--draws", type=int, default=40)
    parser.add_argument("--sets", nargs="+", choices=[*SETS], default=[*SETS])
    parser.add_argument("--chosen", action="store_true", help="Labels that label_next chooses.")
    options = parser.parse_args()
    for name in options.sets:
        data = load(options.shared, options.features, name)
        for labels in LABELS:
            if labels < 3 * (data[1].max() + 1) or labels + MORE > 0.55 * len(data[1]):
                continue
            found = np.array([
                measure(*data, labels, seed, chosen=options.chosen)
                for seed in range(options.draws)
            ])  # fmt: skip
            truth = found[:, 3].mean()
            error = found[:, 3].std(ddof=1) / np.sqrt(len(found))
            told = found[~np.isnan(found[:, 0])]
            # In the digits that are told: tenths of a point.
            low, high = np.round(100 * told[:, 1:3].T, 1)
            holds = low <= round(100 * (truth + error), 1)
            holds &= high >= round(100 * (truth - error), 1)
            means = 100 * told[:, :3].mean(axis=0) if len(told) else np.full(3, np.nan)
            print(
                f"| {name} | {labels} | {100 * truth:.1f} ± {100 * error:.1f} | {means[0]:.1f} "
                f"({means[1]:.1f} to {means[2]:.1f}) | {len(told)} of {len(found)} | "
                f"{holds.sum()} of {len(told)} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
