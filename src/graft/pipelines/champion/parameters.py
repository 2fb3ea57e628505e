"""Parameters of the champion stage."""

from pydantic import Field, PositiveInt

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


class FamiliarityParameters(StageParameters):
    """How pictures unlike those of train are told.

    Attributes:
        pictures: At most so many of train are remembered, drawn at random.
        neighbours: A picture is as far away as its so-many-th nearest of them.
        refused_share: Share of dev that may be refused.
        batch_size: Pictures a forward pass.
        seed: Seed of the draw.
    """

    pictures: PositiveInt
    neighbours: PositiveInt
    refused_share: float = Field(gt=0, lt=1)
    batch_size: PositiveInt
    seed: int = Field(ge=0)
