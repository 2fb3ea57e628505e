"""Parameters of the stage of doubtful labels."""

from pydantic import Field, NonNegativeInt

from graft.parameters.base import StageParameters


class LabelDoubtsParameters(StageParameters):
    """How labels are doubted.

    Attributes:
        folds: Each picture is judged by a classifier that was trained on the other folds.
        shown: Pictures shown in the report, at most.
        verdicts_file: Where a person puts the filled list; told in the report.
        seed: Of the folds.
    """

    folds: int = Field(ge=2)
    shown: NonNegativeInt
    verdicts_file: str
    seed: int = Field(ge=0)
