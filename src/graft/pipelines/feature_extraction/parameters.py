"""Parameters of the feature extraction stage."""

from pydantic import Field, PositiveInt

from graft.parameters import StageParameters


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


class FeatureExtractionParameters(StageParameters):
    """How pictures are passed through the backbone.

    Attributes:
        batch_size: Pictures a forward pass; memory grows with it.
    """

    batch_size: PositiveInt
