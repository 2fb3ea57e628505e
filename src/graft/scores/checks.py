"""Refuses what is no probability, before a figure is made of it: the one check of the project."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from graft.errors import GraftError

# Of the sum of a row; float16 activations round about as coarsely. What is within
# it is measured as it is, and the log loss divides by the sum (graft.scores.log_loss).
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
