"""Parameters of the champion stage."""

from pydantic import Field

from graft.parameters.base import StageParameters


class ChampionParameters(StageParameters):
    """What the model card says beside what was measured.

    Attributes:
        name: Of the data set; the champion lies in ``data/06_models/<name>/champion``.
        intended_use: What the classifier is for and what it is not for, in your words; None
            writes what goes for every classifier.
    """

    name: str = Field(min_length=1)
    intended_use: str | None
