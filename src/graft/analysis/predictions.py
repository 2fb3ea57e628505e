"""Predictions of one split as arrays, refused if they are not probabilities."""

from __future__ import annotations

import numpy as np
import pandas as pd

from graft.errors import GraftError

# Of the sum of a row; float16 activations round about as coarsely.
_TOLERANCE = 1e-2


def check_probabilities(probabilities: np.ndarray, model: str = "the model") -> np.ndarray:
    """Give the probabilities back if they are some.

    Args:
        probabilities: Float (n, C), a row a picture.
        model: Named in the error.

    Raises:
        GraftError: If one is no number, or a row has negative ones or does not sum to about 1.
    """
    if np.isfinite(probabilities).all() and probabilities.size and (
        (probabilities >= 0).all()
        and (np.abs(probabilities.sum(axis=1) - 1) <= _TOLERANCE).all()
    ):  # fmt: skip
        return probabilities
    if not probabilities.size:
        raise GraftError(
            f"there is no picture to measure {model} on; a split needs at least one; got 0 rows"
        )
    finite = np.isfinite(probabilities).all(axis=1)
    if not finite.all():
        raise GraftError(
            f"probabilities of {model} are not numbers; a training with too large a learning rate "
            "ends so: lower it and train again; got NaN or infinity for "
            f"{int((~finite).sum()):,} of {len(finite):,} pictures"
        )
    sums = probabilities.sum(axis=1)
    row = int(np.argmax(np.where((probabilities < 0).any(axis=1), np.inf, np.abs(sums - 1))))
    raise GraftError(
        f"the outputs of {model} are no probabilities; each is 0 or more, and those of a picture "
        f"sum to 1: end the network in a softmax; got a row with the sum {sums[row]:.4g} and the "
        f"least value {probabilities[row].min():.4g}"
    )


# Float32 probabilities of 1,000 classes sum to 1 within about 1e-6.
_ROUNDING = 1e-3


def read_split(
    predictions: pd.DataFrame, class_names: list[str], split: str
) -> tuple[np.ndarray, np.ndarray]:
    """Labels and probabilities of the pictures of one split.

    Args:
        predictions: Columns ``image_id``, ``split``, ``label`` and ``probability_<class>`` for
            every class; of one model.
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
    _refuse_no_probabilities(probabilities, rows["image_id"], split)
    return labels, probabilities


def _refuse_no_probabilities(probabilities: np.ndarray, image_ids: pd.Series, split: str) -> None:
    inside = (probabilities >= 0) & (probabilities <= 1 + _ROUNDING)
    with np.errstate(invalid="ignore"):
        sums = np.abs(probabilities.sum(axis=1) - 1) <= _ROUNDING
    wrong = np.flatnonzero(~(inside.all(axis=1) & sums))
    if len(wrong):
        row = int(wrong[0])
        faulty = np.flatnonzero(~inside[row])
        got = probabilities[row, faulty[0]] if len(faulty) else probabilities[row].sum()
        what = "a probability" if len(faulty) else "a sum"
        raise GraftError(
            "probabilities must lie between 0 and 1 and sum to 1; train the classifier again with "
            f"a lower learning rate; got {what} of {got:g} for '{image_ids.iloc[row]}' of {split}, "
            f"one of {len(wrong):,} such pictures"
        )


def get_probabilities(predictions: pd.DataFrame) -> np.ndarray:
    """Probabilities (n, C), float64, in the order of the class names."""
    return predictions.filter(regex="^probability_").to_numpy(np.float64)
