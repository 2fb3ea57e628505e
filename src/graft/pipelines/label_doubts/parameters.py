"""Parameters of the stage of doubtful labels."""

from pydantic import Field, NonNegativeInt

from graft.parameters import StageParameters


class LabelDoubtsParameters(StageParameters):
    """How labels are doubted.

    Attributes:
        folds: Each picture of train is judged by a classifier that was trained on the others.
        confidence: Coverage of the interval of the number of wrong labels.
        shown: Pictures shown in the report, at most.
        verdicts_file: Where a person puts the filled list; told in the report.
        seed: Of the folds.
    """

    folds: int = Field(ge=2)
    confidence: float = Field(gt=0, lt=1)
    shown: NonNegativeInt
    verdicts_file: str
    seed: int = Field(ge=0)
