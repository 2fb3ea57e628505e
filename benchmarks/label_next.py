"""How many labels does `label_next` need for what random ones reach? Print the rows of a table.

Usage: python benchmarks/label_next.py [--shared FOLDER] [--draws N] [--sets NAME ...]

A person who always answers rightly labels a batch after another: chosen by
:mod:`graft.analysis.next_labels`, or drawn at random. Both begin without a label. After each
batch a logistic regression on the labelled features is measured on pictures that neither may ask
for (40 %, whole tracks of traffic signs on one side). For every accuracy that both reach: labels
that the choice needs / labels that random draws need, mean of the draws on a logarithmic scale,
geometric mean over the accuracies; with the 95 % interval of a bootstrap over the draws. As in the
stage, one picture of each track is asked for, and a second only when all tracks have a label.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from sklearn.linear_model import LogisticRegression

from graft.analysis.next_labels import choose_next
from graft.images.decoding import decode_picture

SETS = {"cats_vs_dogs": (224, 0.45), "caltech101": (224, 0.62), "gtsrb": (96, 0.85)}
# Labels a class after each batch, on average.
STEPS = (1, 2, 3, 4, 6, 8, 12, 16, 24)
TYPICAL = 3
# Accuracies at which labels are compared.
GOALS = 200


def list_pictures(shared: Path, name: str) -> tuple[list[Path], np.ndarray, np.ndarray]:
    """Files, class of each (n,), and group of each (n,), whose pictures belong together."""
    data = shared / "data"
    if name == "cats_vs_dogs":
        files = sorted((data / "cats_vs_dogs").glob("*.jpg"))
        classes = [path.name.split(".")[0] for path in files]
        groups = [path.name for path in files]
    else:
        folder = "caltech101/101_ObjectCategories" if name == "caltech101" else (
            "gtsrb/Final_Training/Images"
        )  # fmt: skip
        files = sorted(path for path in (data / folder).glob("*/*") if path.suffix != ".csv")
        classes = [path.parent.name for path in files]
        is_track = name == "gtsrb"
        groups = [
            f"{path.parent.name}/{path.name.split('_')[0] if is_track else path.name}"
            for path in files
        ]
    number = lambda names: np.unique(names, return_inverse=True)[1]  # noqa: E731, for two lines
    return files, number(classes), number(groups)


def read_features(shared: Path, files: list[Path], size: int) -> np.ndarray:
    """Features of MobileNetV2, float32 (n, 1280)."""
    from graft.models.backbones import build_backbone
    from graft.models.inference import compile_forward

    weights = shared / "weights/mobilenet_v2_imagenet_no_top.weights.h5"
    forward = compile_forward(build_backbone("MobileNetV2", size, str(weights), seed=0), 32)
    found = []
    for start in range(0, len(files), 32):
        pixels = [
            decode_picture(path.read_bytes(), size, 80_000_000)
            for path in files[start : start + 32]
        ]
        found.append(forward(np.stack(pixels)))
    return np.concatenate(found)


def simulate(
    features: np.ndarray, classes: np.ndarray, groups: np.ndarray, seed: int, *, chosen: bool
) -> np.ndarray:
    """Accuracy after every step, float (steps,)."""
    random = np.random.default_rng(seed)
    order = random.permutation(groups.max() + 1)
    is_asked = np.isin(groups, order[: int(0.6 * len(order))])
    pool, count = np.flatnonzero(is_asked), classes.max() + 1
    labelled = np.empty(0, np.int64)
    reached = []
    drawn = random.permutation(pool)
    lots = random.permutation(len(classes))
    for step in STEPS:
        wanted = min(step * count, len(pool))
        if chosen:
            for pictures in (list_fresh(pool, labelled, groups, lots), pool):
                if len(labelled) == wanted:
                    break
                left = np.setdiff1d(pictures, labelled)
                found = choose_next(
                    features[left], features[labelled], (features[labelled], classes[labelled]),
                    count, wanted - len(labelled), TYPICAL, seed,
                )  # fmt: skip
                labelled = np.concatenate([labelled, left[found.rows]])
        else:
            labelled = drawn[:wanted]
        if len(np.unique(classes[labelled])) < 2:
            reached.append(1 / count)
            continue
        model = LogisticRegression(max_iter=1000).fit(features[labelled], classes[labelled])
        reached.append(float((model.predict(features[~is_asked]) == classes[~is_asked]).mean()))
    return np.array(reached)


def list_fresh(
    pool: np.ndarray, labelled: np.ndarray, groups: np.ndarray, lots: np.ndarray
) -> np.ndarray:
    """Rows of the pool, one of each group without a label: that with the smallest lot."""
    fresh = pool[~np.isin(groups[pool], groups[labelled])]
    fresh = fresh[np.argsort(lots[fresh])]
    return fresh[np.unique(groups[fresh], return_index=True)[1]]


def compare(chosen: np.ndarray, drawn: np.ndarray, labels: np.ndarray) -> float:
    """Share of the labels of random draws for the same accuracy.

    Asked at accuracies that lie evenly from the first of random draws to the best that both reach:
    at those of the choice's own steps, most are within the noise of the last ones.

    Args:
        chosen: Mean accuracy after every step, (steps,).
        drawn: That of random draws.
        labels: Labels after every step.
    """
    rising = [np.maximum.accumulate(each) for each in (chosen, drawn)]
    edges = np.linspace(drawn[0], min(chosen.max(), drawn.max()), GOALS + 1)
    goals = (edges[1:] + edges[:-1]) / 2
    needed = [np.interp(goals, each, np.log(labels)) for each in rising]
    return float(np.exp(np.mean(needed[0] - needed[1])))


def main() -> None:
    """Measure, and print a row a set."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--shared", type=Path, default=Path(__file__).parents[2] / "shared")
    parser.add_argument("--draws", type=int, default=10)
    parser.add_argument("--sets", nargs="+", choices=[*SETS], default=[*SETS])
    options = parser.parse_args()
    for name in options.sets:
        size, bar = SETS[name]
        files, classes, groups = list_pictures(options.shared, name)
        features = read_features(options.shared, files, size)
        curves = np.array([
            [simulate(features, classes, groups, seed, chosen=way) for way in (True, False)]
            for seed in range(options.draws)
        ])  # fmt: skip
        labels = np.array(STEPS, float) * (classes.max() + 1)
        chosen, drawn = curves.mean(axis=0)
        share = compare(chosen, drawn, labels)
        random = np.random.default_rng(0)
        again = [
            compare(some[:, 0].mean(axis=0), some[:, 1].mean(axis=0), labels)
            for some in (curves[random.integers(0, len(curves), len(curves))] for _ in range(400))
        ]
        low, high = np.nanquantile(again, [0.025, 0.975])
        means = curves.mean(axis=0)
        print(
            f"| labels that label_next needs / random ones, {name} | {share:.2f} ({low:.2f} – "
            f"{high:.2f}); with {int(labels[0])} / {int(labels[2])} / {int(labels[5])} labels "
            f"{means[0, 0]:.3f} / {means[0, 2]:.3f} / {means[0, 5]:.3f}, random "
            f"{means[1, 0]:.3f} / {means[1, 2]:.3f} / {means[1, 5]:.3f} | ≤ {bar} | "
            f"{'yes' if share <= bar else 'NO'} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
