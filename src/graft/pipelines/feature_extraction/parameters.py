"""Parameters of the feature extraction stage."""

from typing import Literal

from pydantic import PositiveInt

from graft.parameters.base import StageParameters


class FeatureExtractionParameters(StageParameters):
    """How pictures are passed through the backbone.

    Attributes:
        batch_size: Pictures a forward pass; memory grows with it.
        precision: ``float32``; ``mixed_bfloat16``, for devices that compute faster with it, and
            two or three digits of a feature less; ``auto``: bfloat16 on such devices.
    """

    batch_size: PositiveInt
    precision: Literal["auto", "float32", "mixed_bfloat16"] = "float32"
