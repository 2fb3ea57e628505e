"""Refuses what is no probability, before a figure is made of it."""

from __future__ import annotations

import numpy as np

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
