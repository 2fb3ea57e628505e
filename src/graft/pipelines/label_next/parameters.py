"""Parameters of the stage that chooses pictures to label."""

from typing import ClassVar

from pydantic import Field, NonNegativeInt, PositiveInt

from graft.parameters.base import StageParameters


class LabelNextParameters(StageParameters):
    """How many pictures are asked for, and from where on those that are doubtful.

    Attributes:
        count: Pictures to label next.
        typical_labels: Labels a class, on average, up to which typical pictures are asked for.
        shown: Pictures on the contact sheet.
        review_file: Where the filled list is expected; only told.
        seed: Of the clustering.
    """

    stage: ClassVar[str] = "label_next"

    count: PositiveInt
    typical_labels: NonNegativeInt
    shown: PositiveInt
    review_file: str
    seed: int = Field(ge=0)
