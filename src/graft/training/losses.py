"""Losses on probabilities, and what each picture counts in them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pandas as pd

from graft.errors import GraftError

Loss = Callable[[keras.KerasTensor, keras.KerasTensor], keras.KerasTensor]


def check_outputs(loss: str, output_count: int, class_count: int, stage: str) -> None:
    """Refuse combinations of loss, outputs and classes that cannot learn the task.

    Args:
        loss: ``"sparse_categorical_crossentropy"``, ``"categorical_crossentropy"`` or
            ``"binary_crossentropy"``.
        output_count: Outputs of the head's dense layer: one (the probability of the second
            class) or one a class.
        class_count: Number of classes.
        stage: Name of the stage, for the message.

    Raises:
        GraftError: Gives the reason and what goes together.

    Examples:
        >>> check_outputs("binary_crossentropy", 1, class_count=2, stage="head_training")
    """
    if class_count < 2:
        raise GraftError(f"a classifier needs at least two classes; got {class_count}")
    if loss == "binary_crossentropy" and class_count != 2:
        raise GraftError(
            f"{stage}.loss: binary_crossentropy tells two classes apart; with {class_count} take "
            f"sparse_categorical_crossentropy or categorical_crossentropy; got '{loss}'"
        )
    if output_count == 1 and class_count != 2:
        raise GraftError(
            f"{stage}.outputs: one output is the probability of one of two classes; with "
            f"{class_count} classes take one output a class, {class_count}; got 1"
        )
    if output_count not in (1, class_count):
        allowed = "1 or 2" if class_count == 2 else str(class_count)
        raise GraftError(
            f"{stage}.outputs: there are {class_count} classes; allowed are {allowed}; "
            f"got {output_count}"
        )
    if output_count == 1 and loss != "binary_crossentropy":
        raise GraftError(
            f"{stage}.loss: {loss} compares one output a class; one output goes with "
            f"binary_crossentropy, or set {stage}.outputs to 2; got '{loss}'"
        )


def make_loss(
    name: str, class_count: int, label_smoothing: float, *, takes_shares: bool = False
) -> Loss | str:
    """A loss between class indices (n,) and probabilities (n, C).

    All three names are the cross-entropy of the true class. They differ in how labels are
    written: an index, a vector, or (two classes) the probability p of the second one. A head
    of one output gives [1 - p, p], for which the binary loss and the one over classes are the
    same function; the latter is computed from logits and does not saturate.

    Args:
        name: Name of the loss, see :func:`check_outputs`.
        class_count: Number of classes C.
        label_smoothing: Share of the target spread over all classes (Szegedy et al. 2016).
        takes_shares: Labels may also be shares of all classes (n, C), as mixup makes them.
    """
    if name == "sparse_categorical_crossentropy" and not label_smoothing and not takes_shares:
        return name

    def categorical_crossentropy(
        labels: keras.KerasTensor, probabilities: keras.KerasTensor
    ) -> keras.KerasTensor:
        if takes_shares and has_shares(labels, class_count):
            shares = keras.ops.cast(labels, probabilities.dtype)
        else:
            # Keras hands labels over as floats, which JAX is about to refuse here.
            indices = keras.ops.cast(keras.ops.reshape(labels, (-1,)), "int32")
            shares = keras.ops.one_hot(indices, class_count, dtype=probabilities.dtype)
        return keras.losses.categorical_crossentropy(
            shares, probabilities, label_smoothing=label_smoothing
        )

    return categorical_crossentropy


def has_shares(labels: keras.KerasTensor, class_count: int) -> bool:
    """Whether labels are shares of classes (n, C), not class indices (n,) or (n, 1)."""
    return len(labels.shape) == 2 and labels.shape[-1] == class_count


def make_accuracy(class_count: int) -> keras.metrics.Metric:
    """Accuracy by class indices, or by the largest share of a class."""

    def match_largest(
        labels: keras.KerasTensor, probabilities: keras.KerasTensor
    ) -> keras.KerasTensor:
        if has_shares(labels, class_count):
            labels = keras.ops.argmax(labels, axis=-1)
        labels = keras.ops.cast(keras.ops.reshape(labels, (-1,)), "int64")
        found = keras.ops.cast(keras.ops.argmax(probabilities, axis=-1), "int64")
        return keras.ops.cast(keras.ops.equal(labels, found), "float32")

    return keras.metrics.MeanMetricWrapper(match_largest, name="accuracy")


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
