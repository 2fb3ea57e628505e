"""How pictures without a label are learnt from: the parameters of all stages that do it."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field, PositiveInt

from graft.parameters.base import StageParameters


class SelfTrainingParameters(StageParameters):
    """How many pictures without a label are learnt from, and where it is decided whether to.

    Attributes:
        pictures: At most, drawn at random; more cost more and teach little.
        folds: Of train and dev, on which the ways are compared where dev has few clusters.
        refused_share: Pictures farther from train than all but this share of those with a label are
            left out.
        neighbours: That distance is to the so-many-th nearest picture of train.
        confidence: The fine-tuning learns from a picture if its teacher's most likely class has
            come this share of the way from chance (one of all classes) to certainty.
        seed: Of the draw and of the folds.
    """

    stage: ClassVar[str] = "self_training"

    pictures: PositiveInt
    folds: int = Field(ge=2)
    refused_share: float = Field(ge=0, lt=1)
    neighbours: PositiveInt
    confidence: float = Field(ge=0, lt=1)
    seed: int = Field(ge=0)
