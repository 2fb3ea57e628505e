"""Parameters of the tabular pipeline."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, PositiveFloat, PositiveInt

from graft.parameters.base import StageParameters

# What is measured side by side.
NETWORK, LINEAR, TRIVIAL = "network", "linear", "trivial"


class TabularParameters(StageParameters):
    """What is learnt from a table, by which network, and how it is measured.

    Attributes:
        task: ``classification`` or ``regression``.
        target: Name or number (from 0) of the column to predict; -1 is the last one.
        folds: Parts of the cross-validation; stratified by class in a classification.
        units: Units of every hidden layer.
        dropout: Share of each hidden layer's outputs dropped in training.
        l2: Factor of the L2 penalty on kernels.
        learning_rate: Of Adam.
        epochs: Passes over the rows; a fixed number, for there is no dev to stop on.
        batch_size: Rows a step.
        seed: Of the folds and of the training.
    """

    task: Literal["classification", "regression"]
    target: str | int
    folds: int = Field(ge=2)
    units: tuple[PositiveInt, ...]
    dropout: float = Field(ge=0, lt=1)
    l2: float = Field(ge=0, allow_inf_nan=False)
    learning_rate: PositiveFloat = Field(allow_inf_nan=False)
    epochs: PositiveInt
    batch_size: PositiveInt
    seed: int = Field(ge=0)
