"""Predictions of one split as arrays, refused if they are not probabilities."""

from __future__ import annotations

import numpy as np
import pandas as pd

from graft.errors import GraftError
from graft.scores.checks import check_probabilities


def read_split(
    predictions: pd.DataFrame, class_names: list[str], split: str
) -> tuple[np.ndarray, np.ndarray]:
    """Labels and probabilities of the pictures of one split.

    Args:
        predictions: Columns ``image_id``, ``split``, ``model``, ``label`` and
            ``probability_<class>`` for every class; of one model.
        class_names: The classes in the order of the probabilities.
        split: Name of the split.

    Returns:
        Class index of every picture, int64 (n,), and probabilities, float64 (n, C).

    Raises:
        GraftError: If the split has no picture, a label is no class, or a row is not made of
            probabilities.
    """
    rows = predictions[predictions["split"] == split]
    if rows.empty:
        raise GraftError(
            f"a figure needs at least one predicted picture of {split}; split the pictures anew; "
            "got none"
        )
    labels = pd.Index(class_names).get_indexer(rows["label"]).astype(np.int64)
    if labels.min() < 0:
        unknown = rows["label"].iloc[int(labels.argmin())]
        raise GraftError(
            f"a label of {split} is none of the {len(class_names)} classes; run splitting and all "
            f"after it again; got '{unknown}'"
        )
    columns = [f"probability_{name}" for name in class_names]
    probabilities = rows[columns].to_numpy(np.float64)
    owner = f"the {rows['model'].iloc[0]} classifier on {split}".replace("_", "-")
    return labels, check_probabilities(probabilities, owner, rows["image_id"].tolist())
