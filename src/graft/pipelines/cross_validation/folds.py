"""Which pictures each fold trains on, stops by and is measured on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from graft.errors import GraftError
from graft.pipelines.cross_validation.parameters import CrossValidationParameters
from graft.scores.folds import count_clusters, deal_folds

_LEAST = 3  # one to measure, one to stop by, one to train on


@dataclass(frozen=True)
class Fold:
    """Rows of ``splits``, int each.

    Attributes:
        number: From 0.
        train: To train on.
        stop: To stop by: the next fold. What stops a training must not measure it.
        measure: To measure on.
    """

    number: int
    train: np.ndarray
    stop: np.ndarray
    measure: np.ndarray


def find_used(splits: pd.DataFrame) -> np.ndarray:
    """Rows of all pictures but those of test, int (n,)."""
    return np.flatnonzero(splits["fold"] >= 0)


def make_folds(
    splits: pd.DataFrame, class_names: list[str], parameters: CrossValidationParameters
) -> Iterator[Fold]:
    """Divide all pictures but those of test.

    Raises:
        GraftError: If there are fewer than three folds, or a class has fewer clusters than folds.
    """
    used = find_used(splits)
    labels = splits["label_index"].to_numpy(np.int64)[used]
    clusters = splits["cluster"].to_numpy(np.int64)[used]
    if parameters.folds is None:
        number = splits["fold"].to_numpy(np.int64)[used]
        _refuse_too_few_folds(int(number.max(initial=-1)) + 1)
    else:
        _refuse_small_class(labels, clusters, class_names, parameters.folds)
        number = deal_folds(labels, clusters, parameters.folds, parameters.seed)
    count = int(number.max()) + 1
    for fold in range(count):
        stops, measures = number == (fold + 1) % count, number == fold
        yield Fold(fold, used[~(stops | measures)], used[stops], used[measures])


def _refuse_too_few_folds(count: int) -> None:
    if count < _LEAST:
        raise GraftError(
            f"cross_validation.folds: null takes the folds of splits, of which there must be "
            f"{_LEAST} or more; raise splitting.folds, or give cross_validation.folds a number; "
            f"got splitting.folds {count}"
        )


def _refuse_small_class(
    labels: np.ndarray, clusters: np.ndarray, class_names: list[str], folds: int
) -> None:
    counts = count_clusters(labels, clusters, len(class_names))
    smallest = int(counts.argmin())
    if counts[smallest] < folds:
        most = int(counts[smallest])
        advice = f"at most {most} are possible" if most >= _LEAST else "that is too few for any"
        raise GraftError(
            f"cross_validation.folds: outside of test, class '{class_names[smallest]}' has {most} "
            f"{'picture' if most == 1 else 'pictures'} or groups of pictures that belong together, "
            f"and every fold needs one; {advice}; got {folds} folds"
        )
