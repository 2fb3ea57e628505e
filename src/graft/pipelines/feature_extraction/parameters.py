"""Parameters of the feature extraction stage."""

from pydantic import PositiveInt

from graft.parameters.base import StageParameters


class FeatureExtractionParameters(StageParameters):
    """How pictures are passed through the backbone.

    Attributes:
        batch_size: Pictures a forward pass; memory grows with it.
    """

    batch_size: PositiveInt
