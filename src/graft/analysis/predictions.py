"""Predictions of one split as arrays, refused if they are not probabilities, and their log loss.

There is one log loss with one floor, for the loss of a sure mistake is all floor: with two floors
the candidate that is chosen may be the one with the worse figure in ``metrics.json``.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from graft.analysis.temperature import SMALLEST_PROBABILITY
from graft.errors import GraftError

# Of the sum of a row; float16 activations round about as coarsely. What is within
# it is measured as it is, and the log loss divides by the sum (graft.analysis.predictions).
TOLERANCE = 1e-2


def check_probabilities(
    probabilities: np.ndarray, model: str = "the model", names: Sequence[str] | None = None
) -> np.ndarray:
    """Give the probabilities back if they are some.

    Args:
        probabilities: Float (n, C), a row a picture.
        model: Whose they are, in words; for the error.
        names: Of the pictures, (n,); for the error.

    Raises:
        GraftError: If there is no row, one is no number, or a row has values below 0 or does not
            sum to 1 within :data:`TOLERANCE`. It says which of the two causes is likely: a training
            that diverged, or a network of one's own whose last layer is no softmax.
    """
    if not probabilities.size:
        raise GraftError(
            f"there is no picture to measure {model} on; a split needs at least one; got 0 rows"
        )
    finite = np.isfinite(probabilities).all(axis=1)
    if not finite.all():
        raise GraftError(
            f"probabilities of {model} are not numbers; a training with too large a learning rate "
            "ends so: lower it and train again; got NaN or infinity for "
            f"{_count(~finite, names)}"
        )
    least, sums = probabilities.min(axis=1), probabilities.sum(axis=1)
    wrong = (least < 0) | (np.abs(sums - 1) > TOLERANCE)
    if not wrong.any():
        return probabilities
    row = int(wrong.argmax())
    raise GraftError(
        f"the outputs of {model} are no probabilities; those of a picture are 0 or more and sum to "
        f"1, to within {TOLERANCE:g}; a network of your own must end in a softmax over the "
        f"classes, in float32: end it so and train it again; got a sum of {sums[row]:.4g} with a "
        f"least value of {least[row]:.4g}; {_count(wrong, names)}"
    )


def _count(wrong: np.ndarray, names: Sequence[str] | None) -> str:
    """Such as "3 of 9 pictures, such as 'a.png'"."""
    example = "" if names is None else f", such as '{names[int(wrong.argmax())]}'"
    return f"{int(wrong.sum()):,} of {len(wrong):,} pictures{example}"


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


def get_probabilities(predictions: pd.DataFrame) -> np.ndarray:
    """Probabilities (n, C), float64, in the order of the class names."""
    return predictions.filter(regex="^probability_").to_numpy(np.float64)


LARGEST_LOSS = -float(np.log(SMALLEST_PROBABILITY))


def measure_losses(labels: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """Log loss of every picture, in nats, float64 (n,), 0 to :data:`LARGEST_LOSS`.

    Args:
        labels: Class index of every picture, int (n,).
        probabilities: Float (n, C); rows that do not sum to 1 by rounding are divided by their sum.

    Examples:
        >>> measure_losses(np.array([0, 1]), np.array([[0.5, 0.5], [1.0, 0.0]])).round(4)
        array([ 0.6931, 36.0437])
    """
    wide = probabilities.astype(np.float64)
    right = wide[np.arange(len(labels)), labels] / wide.sum(axis=1)
    return -np.log(np.clip(right, SMALLEST_PROBABILITY, 1))


def measure_log_loss(labels: np.ndarray, probabilities: np.ndarray) -> float:
    """Mean of :func:`measure_losses` over the pictures."""
    return float(measure_losses(labels, probabilities).mean())
