"""What the mean of the heads of all folds gains over one head, on the same frozen features.

Usage: python benchmarks/fold_ensemble.py [--shared FOLDER] [--sets NAME ...] [--seeds N ...]
           [--few train|all]

For every set and seed (of the split and of all else) one `kedro run` with the candidates
`frozen` and `frozen_folds`; with `--few` on as few labels as `recipes.py` leaves. A row: accuracy
on test of both, and what the mean gained, in points. The last line is JSON.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np

from recipes import FEW, SETS, open_project

SET_NAMES = ("gtsrb", "cats_vs_dogs", "caltech101")
STAGES = (
    "ingestion", "splitting", "decoding", "feature_extraction", "head_training", "fold_ensemble",
    "selection", "evaluation",
)  # fmt: skip


def measure(name: str, shared: Path, seed: int, few: str | None) -> tuple[float, float]:
    """Accuracy on test of one head, and of the mean of all."""
    with open_project(name, shared, seed, few) as project:
        place = project.folder / "conf" / SETS[name][0] / "parameters_candidates.yml"
        place.write_text("candidates: [frozen, frozen_folds]\n")
        project.run(*STAGES)
        return project.read("frozen"), project.read("frozen_folds")


def main() -> None:
    """Measure, print a row a set, and all of it as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--shared", type=Path, default=Path(__file__).parents[2] / "shared")
    parser.add_argument("--sets", nargs="+", choices=SET_NAMES, default=SET_NAMES)
    parser.add_argument("--seeds", nargs="+", type=int, default=[42, 1, 2, 3, 4])
    parser.add_argument("--few", choices=[*FEW])
    options = parser.parse_args()
    found: dict[str, list[tuple[float, float]]] = {}
    print("| set | one head, test | mean of the heads, test | gain |\n|---|---|---|---|")
    for name in options.sets:
        pairs = [
            measure(name, options.shared.resolve(), seed, options.few) for seed in options.seeds
        ]
        found[name] = pairs
        columns = [" / ".join(f"{pair[place]:.3f}" for pair in pairs) for place in (0, 1)]
        gain = 100 * float(np.mean([after - before for before, after in pairs]))
        print(f"| {name} | {columns[0]} | {columns[1]} | {gain:+.1f} |", flush=True)
    print(json.dumps(found))


if __name__ == "__main__":
    main()
