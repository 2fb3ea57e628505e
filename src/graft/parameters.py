"""Parameters that several stages share."""

from pydantic import BaseModel, ConfigDict, Field, PositiveInt


class StageParameters(BaseModel):
    """Base of every stage's parameters: unknown names are refused, values never change."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class BackboneParameters(StageParameters):
    """The pretrained network.

    Attributes:
        name: A network of ``keras.applications``, or ``small_cnn``.
        weights: ``imagenet``, ``random``, ``printed_letters`` (of ``small_cnn``), or a file.
        image_size: Side of the pictures that it takes, in pixels.
        seed: Seed of random weights.
    """

    name: str
    weights: str
    image_size: PositiveInt
    seed: int = Field(ge=0)
