"""Parameters of the curves stage."""

from pydantic import Field

from graft.parameters.base import StageParameters


class CurvesParameters(StageParameters):
    """How accuracy against the number of training pictures is measured and extended.

    Attributes:
        pictures: Of train and of dev that take part, at most, in whole clusters.
        sizes: Sizes of the parts of train at most; each is half of the one above it.
        repeats: Random parts of each size.
        draws: Resamples behind an interval.
        confidence: Coverage of the intervals.
        noticeable: The smallest fall of the error on dev (a share) that is worth collecting
            pictures for.
        seed: Of the parts and of the resamples.
    """

    pictures: int = Field(ge=10)
    sizes: int = Field(ge=1, le=12)
    repeats: int = Field(ge=2, le=100)
    draws: int = Field(ge=10)
    confidence: float = Field(gt=0, lt=1)
    noticeable: float = Field(gt=0, lt=1)
    seed: int = Field(ge=0)
