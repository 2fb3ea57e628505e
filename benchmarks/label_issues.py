"""Hold the estimate of wrong labels against classifiers whose labels are known; print JSON.

Usage: python benchmarks/label_issues.py [SETS]

SETS simulated judges (1,000) and a quarter as many trained ones.

Two families of judges, each set with its own number of pictures, classes and wrong labels:

* simulated: calibrated, too sure or not sure enough (a temperature), right on 60 to 99.5 % of the
  true labels; half of them have learnt to expect the wrong labels; of some, one picture in a
  hundred is contradicted beyond what the temperature says; pictures alone or five to a cluster;
  wrong labels of any class or always of the next one;
* trained: the logistic regression of the stage, cross-fitted on Gaussian features under the wrong
  labels, from classes far apart to classes that are hard to tell.

Beside it stands what confident learning (cleanlab) says of the same sets, which never withholds.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from functools import cache

import numpy as np
import pandas as pd
from cleanlab.count import num_label_issues
from threadpoolctl import threadpool_limits

from graft.analysis.label_issues import predict_out_of_fold
from graft.analysis.wrong_labels import estimate_wrong_labels

FLIPS = (0, 0, 0, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3)
Made = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]


@cache
def find_spread(classes: int, accuracy: float) -> float:
    """Standard deviation of logits of which the softmax is right so often."""
    drawn = np.random.default_rng(0).normal(size=(4000, classes))
    low, high = 0.01, 60.0
    for _ in range(30):
        middle = float(np.sqrt(low * high))
        reached = take_softmax(middle * drawn).max(axis=1).mean() >= accuracy
        low, high = (low, middle) if reached else (middle, high)
    return middle


def take_softmax(logits: np.ndarray) -> np.ndarray:
    """Probabilities of the rows of logits."""
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def flip(
    random: np.random.Generator, truth: np.ndarray, classes: int, share: float
) -> tuple[np.ndarray, np.ndarray]:
    """Labels of which a share is wrong, and which ones are."""
    wrong = random.random(len(truth)) < share
    steps = random.integers(1, classes, len(truth)) if random.random() < 0.5 else 1
    return np.where(wrong, (truth + steps) % classes, truth), wrong


def simulate(random: np.random.Generator) -> Made:
    """Labels, probabilities, clusters and which labels are wrong, of a simulated judge."""
    classes = int(random.choice([2, 3, 10, 43]))
    count, size = int(random.choice([200, 500, 1000, 3000])), int(random.choice([1, 1, 5]))
    accuracy = max(float(random.choice([0.6, 0.75, 0.85, 0.9, 0.95, 0.98, 0.995])), 1.2 / classes)
    sureness, share = float(random.choice([0.5, 1, 2, 4])), float(random.choice(FLIPS))
    sure_mistakes = float(random.choice([0, 0, 0.01]))
    spread = find_spread(classes, accuracy)
    logits = spread * random.normal(size=(-(-count // size), classes))
    right = take_softmax(logits)
    truth = (right.cumsum(axis=1) > random.random((len(right), 1))).argmax(axis=1)
    mistaken = random.random(len(truth)) < sure_mistakes
    moved = (truth + random.integers(1, classes, len(truth))) % classes
    clusters = np.repeat(np.arange(len(truth)), size)[:count]
    truth = np.where(mistaken, moved, truth)[clusters]
    labels, wrong = flip(random, truth, classes, share)
    own = 0.3 * spread * random.normal(size=(count, classes)) if size > 1 else 0
    given = take_softmax(logits[clusters] + own)
    if random.random() < 0.5:
        given = (1 - share) * given + share * (1 - given) / (classes - 1)
    powers = given**sureness
    return labels, powers / powers.sum(axis=1, keepdims=True), clusters, wrong


def train(random: np.random.Generator) -> Made:
    """The same of the logistic regression that judges train, itself trained on wrong labels."""
    classes = int(random.choice([2, 3, 10, 43]))
    count, axes = int(random.choice([400, 1200, 2400])), 64
    directions = random.normal(size=(classes, axes))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    truth = np.arange(count) % classes
    apart = float(random.choice([1.5, 2.5, 4, 6]))
    features = apart * directions[truth] + random.normal(size=(count, axes))
    labels, wrong = flip(random, truth, classes, float(random.choice(FLIPS)))
    clusters = np.arange(count)
    found = predict_out_of_fold(features.astype(np.float32), labels, clusters, classes, 5, 0)
    return labels, found.probabilities, clusters, wrong


def judge(make: Callable[[np.random.Generator], Made], seed: int) -> dict[str, float | str]:
    """What is said of one set, and what is true."""
    labels, probabilities, clusters, wrong = make(np.random.default_rng(seed))
    found = estimate_wrong_labels(labels, probabilities, clusters, 0.95)
    return {
        "verdict": found.verdict,
        "share": found.share,
        "high": found.high,
        "true": float(wrong.mean()),
        "confident": num_label_issues(labels, probabilities) / len(labels),
    }


def summarise(rows: pd.DataFrame) -> dict[str, float]:
    """How the promises are kept."""
    flipped, clean = rows[rows["true"] > 0], rows[rows["true"] == 0]
    many = rows[rows["true"] >= 0.05]
    told = flipped[flipped["verdict"] == "about"]
    bounded = rows[rows["verdict"] == "at_most"]
    said = clean["share"].where(clean["verdict"] == "about", clean["high"])
    said = said[clean["verdict"] != "withheld"]
    return {
        "sets_with_wrong_labels": len(flipped),
        "told": len(told),
        "told_within_a_factor_of_two": int(is_near(told["share"], told["true"]).sum()),
        "told_of_those_with_5_percent": float((many["verdict"] == "about").mean()),
        "confident_learning_within_a_factor_of_two": float(
            is_near(flipped["confident"], flipped["true"]).mean()
        ),
        "bounds": len(bounded),
        "bounds_that_hold": int((bounded["true"] <= bounded["high"]).sum()),
        "clean_sets": len(clean),
        "clean_withheld": float((clean["verdict"] == "withheld").mean()),
        "clean_that_say_more_than_2_percent": int((said > 0.02).sum()),
        "clean_confident_learning_more_than_2_percent": float((clean["confident"] > 0.02).mean()),
    }


def is_near(estimates: pd.Series, truth: pd.Series) -> pd.Series:
    """Whether estimates are within a factor of two."""
    return (estimates <= 2 * truth) & (estimates >= truth / 2)


def main() -> None:
    """Measure and print."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    found = {}
    # Many small problems: threads that wait for one another cost more than they give.
    with threadpool_limits(1):
        for make, sets in ((simulate, count), (train, count // 4)):
            rows = pd.DataFrame([judge(make, seed) for seed in range(sets)])
            found[make.__name__] = summarise(rows)
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
