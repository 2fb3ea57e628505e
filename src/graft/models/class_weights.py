"""What each picture counts in training: by the size of its class, and by a column."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from graft.errors import GraftError

CLASS_WEIGHTS: dict[str, Callable[[np.ndarray], np.ndarray]] = {}


def _class_weight(name: str) -> Callable[..., Any]:
    def register(policy: Callable[[np.ndarray], np.ndarray]) -> Callable[..., Any]:
        CLASS_WEIGHTS[name] = policy
        return policy

    return register


@_class_weight("none")
def weigh_equally(counts: np.ndarray) -> np.ndarray:
    """Every picture counts the same."""
    return np.ones(len(counts))


@_class_weight("balanced")
def weigh_inversely(counts: np.ndarray) -> np.ndarray:
    """Every class counts the same: weight ∝ 1/n, as scikit-learn's ``"balanced"``."""
    return counts.sum() / (len(counts) * counts)


@_class_weight("sqrt")
def weigh_by_square_root(counts: np.ndarray) -> np.ndarray:
    """Half way between: weight ∝ n^-0.5, with a mean of 1 over the pictures."""
    weights = counts**-0.5
    return weights * counts.sum() / (weights * counts).sum()


def weigh_pictures(labels: np.ndarray, class_count: int, policy: str) -> np.ndarray:
    """Weight of every training picture, float32 (n,), by the size of its class.

    A fold may lack a class. There is nothing to weigh in it, and the others are weighed among
    themselves.

    Args:
        labels: Class index of every picture, int (n,).
        class_count: Number of classes, those without a picture included.
        policy: ``"none"``, ``"balanced"`` or ``"sqrt"``.
    """
    counts = np.bincount(labels, minlength=class_count).astype(np.float64)
    weights = np.zeros(class_count)
    weights[counts > 0] = CLASS_WEIGHTS[policy](counts[counts > 0])
    return weights[labels].astype(np.float32)


def read_sample_weights(pictures: pd.DataFrame, column: str, stage: str) -> np.ndarray:
    """Weights that the user gave, float32 (n,).

    Args:
        pictures: A row a picture, with the column.
        column: Its name.
        stage: Name of the stage, for messages.

    Raises:
        GraftError: If there is no such column, or a weight is missing, negative or no number,
            or all are 0.
    """
    if column not in pictures:
        raise GraftError(
            f"{stage}.sample_weights: splits has no such column; it has "
            f"{', '.join(map(str, pictures.columns))}; got '{column}'"
        )
    if pictures[column].isna().all():
        raise GraftError(
            f"{stage}.sample_weights: the source gives no picture a value; name the column of the "
            "table of labels that has them as weight_column of raw_images, or set sample_weights "
            f"to null; got '{column}'"
        )
    with np.errstate(over="ignore"):
        values = pd.to_numeric(pictures[column], errors="coerce").to_numpy(np.float64)
        weights = values.astype(np.float32)
    wrong = ~(np.isfinite(weights) & (weights >= 0))
    if wrong.any():
        some = pictures.loc[wrong, ["image_id", column]].head(3).to_numpy()
        listed = ", ".join(f"'{value}' for '{image_id}'" for image_id, value in some)
        raise GraftError(
            f"{stage}.sample_weights: a weight is a number of at least 0; {wrong.sum()} in "
            f"column '{column}' are not; got {listed}{', …' if wrong.sum() > 3 else ''}"
        )
    if not weights.any():
        raise GraftError(
            f"{stage}.sample_weights: some picture of train must count; got only 0 in '{column}'"
        )
    return weights
