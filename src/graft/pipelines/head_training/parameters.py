"""Parameters of the head training stage."""

from typing import ClassVar, Literal

from pydantic import Field, NonNegativeInt

from graft.training_parameters import TrainingParameters


class HeadTrainingParameters(TrainingParameters):
    """How the head is trained; what goes for every training is described in the base class.

    Attributes:
        dropout: Share of features dropped in training.
        hidden_units: Units of a dense layer before the last one; 0 for none.
        outputs: Outputs of the dense layer: ``auto`` (1 with the loss ``binary_crossentropy``,
            otherwise one a class) or their number. The classifier gives one probability a
            class in either case.
    """

    stage: ClassVar[str] = "head_training"

    dropout: float = Field(ge=0, lt=1)
    hidden_units: NonNegativeInt = 0
    outputs: Literal["auto"] | int = "auto"

    def count_outputs(self, class_count: int) -> int:
        """Outputs of the dense layer for so many classes."""
        if self.outputs != "auto":
            return self.outputs
        return 1 if self.loss == "binary_crossentropy" else class_count
