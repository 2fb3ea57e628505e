"""Parameters of the head training stage."""

from typing import Literal

from pydantic import Field, PositiveFloat, PositiveInt

from graft.parameters import StageParameters


class HeadTrainingParameters(StageParameters):
    """How the head is trained.

    Attributes:
        dropout: Share of features dropped in training.
        weight_decay: Factor of the L2 penalty on the weights.
        learning_rate: Of Adam.
        batch_size: Pictures a step.
        epochs: At most so many.
        patience: Stop after so many epochs without a lower loss on dev.
        class_weights: ``none``, ``balanced`` (∝ 1/n) or ``sqrt`` (∝ n^-0.5).
        seed: Seed of the order of the batches and of the dropout.
    """

    dropout: float = Field(ge=0, lt=1)
    weight_decay: float = Field(ge=0)
    learning_rate: PositiveFloat
    batch_size: PositiveInt
    epochs: PositiveInt
    patience: PositiveInt
    class_weights: Literal["none", "balanced", "sqrt"]
    seed: int = Field(ge=0)
