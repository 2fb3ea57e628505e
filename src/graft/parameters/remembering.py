"""What is remembered of train: for the champion, and for what is exported with it."""

from __future__ import annotations

from pydantic import Field, NonNegativeInt, PositiveInt

from graft.parameters.base import StageParameters


class FamiliarityParameters(StageParameters):
    """How pictures unlike those of train are told.

    Attributes:
        pictures: At most so many of train are remembered, drawn at random; 0 remembers none, and
            no picture is told to be unlike them.
        neighbours: A picture is as far away as its so-many-th nearest of them.
        refused_share: Share of new pictures like those of dev that may be refused.
        batch_size: Pictures a forward pass.
        seed: Seed of the draw.
    """

    pictures: NonNegativeInt
    neighbours: PositiveInt
    refused_share: float = Field(gt=0, lt=1)
    batch_size: PositiveInt
    seed: int = Field(ge=0)
