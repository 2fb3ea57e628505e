"""Parameters of the search by AutoKeras."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field, PositiveFloat, PositiveInt

from graft.parameters.base import StageParameters


class AutoKerasParameters(StageParameters):
    """What AutoKeras searches in, and how long.

    Attributes:
        image_size: Side that pictures are brought to.
        grey: Whether colours are left out.
        block: ``any`` of its networks, or only those of this kind.
        pretrained: Whether its known networks start from ImageNet's weights, which Keras has in
            its cache or downloads; from random ones if not, as all here are from scratch.
        trials: At most so many networks.
        minutes: No network is tried later, and the one that is being tried ends with its epoch;
            null for any time. What is found then depends on the machine.
        epochs: Of a network, at most.
        batch_size: Pictures a step.
        seed: Of the search.
    """

    stage: ClassVar[str] = "autokeras"

    image_size: PositiveInt
    grey: bool
    block: Literal["any", "vanilla", "resnet", "xception"]
    pretrained: bool
    trials: PositiveInt
    minutes: PositiveFloat | None
    epochs: PositiveInt
    batch_size: PositiveInt
    seed: int = Field(ge=0)
