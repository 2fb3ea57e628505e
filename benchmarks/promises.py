"""Measure how often a wanted precision that was promised on dev is kept on new pictures.

Usage: python benchmarks/promises.py [--sets 2000]

Drawn are dev splits of a classifier whose probabilities are true, so that the precision above any
threshold is known; on its own pictures, and in clusters of five that are partly right together.
``best on dev`` is the lowest threshold that has the precision on dev itself.
"""

from __future__ import annotations

import argparse

import numpy as np

from graft.scores.promises import promise_precision


def draw(
    random: np.random.Generator, count: int, size: int, shared: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Scores, whether each picture is right, and clusters of ``size`` pictures, each (count,)."""
    groups = count // size
    scores = np.repeat(random.beta(6, 1, groups), size) - 1e-9 * random.random(groups * size)
    together = np.repeat(random.random(groups), size)
    chance = np.where(random.random(groups * size) < shared, together, random.random(groups * size))
    return scores, chance < scores, np.repeat(np.arange(groups), size)


def measure_truth(threshold: float) -> float:
    """Precision above a threshold of true probabilities that have a Beta(6, 1) distribution."""
    return 6 / 7 * (1 - threshold**7) / (1 - threshold**6)


def choose_best_on_dev(scores: np.ndarray, right: np.ndarray, wanted: float) -> float:
    """The lowest threshold with the wanted precision on these very pictures; 1 if there is none."""
    order = np.argsort(-scores)
    shares = np.cumsum(right[order]) / np.arange(1, len(right) + 1)
    good = np.flatnonzero(shares >= wanted)
    return float(scores[order][good[-1]]) if len(good) else 1.0 - 1e-9


def main() -> None:
    """Print a row a problem."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--sets", type=int, default=2000)
    sets = parser.parse_args().sets
    print("| clusters of | dev | wanted | promised | broken, of all | best on dev: broken |")
    print("|---|---|---|---|---|---|")
    random = np.random.default_rng(0)
    for size, shared in ((1, 0.0), (5, 0.5)):
        for count in (200, 1000, 5000):
            for wanted in (0.9, 0.95):
                broken, promised, best_broken = 0, 0, 0
                for _ in range(sets):
                    scores, right, clusters = draw(random, count, size, shared)
                    threshold = promise_precision(scores, right, wanted, 0.95, clusters).threshold
                    if threshold is not None:
                        promised += 1
                        broken += measure_truth(threshold) < wanted
                    best_broken += measure_truth(choose_best_on_dev(scores, right, wanted)) < wanted
                print(
                    f"| {size} | {count:,} | {wanted} | {promised / sets:.1%} | "
                    f"{broken / sets:.1%} | {best_broken / sets:.1%} |",
                    flush=True,
                )


if __name__ == "__main__":
    main()
