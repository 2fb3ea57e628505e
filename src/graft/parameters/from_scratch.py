"""How a network is trained from scratch: the parameters of every stage that does it."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field, NonNegativeInt, PositiveInt

from graft.parameters.base import StageParameters
from graft.parameters.training import TrainingParameters


class ArchitectureParameters(StageParameters):
    """The layers of the network ``tunable``, see :mod:`graft.models.networks.tunable`.

    Attributes:
        image_size: Side that pictures are brought to.
        grey: Whether colours are left out.
        blocks: Of convolutions and a pooling that halves the picture.
        filters: Of every convolution of the first block.
        growth: Filters of a block against the one before it.
        convolutions: In a block.
        dense_units: Of a dense layer before the last one; 0 for none.
        dropout: Share dropped before each dense layer.
    """

    image_size: PositiveInt = 50
    grey: bool = True
    blocks: int = Field(default=2, ge=1, le=6)
    filters: PositiveInt = 48
    growth: float = Field(default=1.0, ge=1, le=4)
    convolutions: int = Field(default=1, ge=1, le=4)
    dense_units: NonNegativeInt = 256
    dropout: float = Field(default=0.4, ge=0, lt=1)


class ScratchTrainingParameters(TrainingParameters):
    """A network from scratch; what goes for every training is described in the base class.

    Attributes:
        network: ``none`` leaves the stage out; a network of ``graft.models.networks``; or the
            dotted path of a function of pixels and ``NetworkSettings``.
        activation: Of all layers but the last.
        initializer: Of the start weights.
        architecture: Of the network ``tunable``; others have their own.
        l1: Factor of the L1 penalty on kernels.
        l2: Factor of the L2 penalty on kernels; ``weight_decay`` comes on top of it.
    """

    stage: ClassVar[str] = "from_scratch"

    network: str = Field(min_length=1)
    activation: Literal["relu", "elu", "selu", "gelu", "silu", "tanh", "sigmoid"]
    initializer: Literal[
        "glorot_uniform", "glorot_normal", "he_uniform", "he_normal", "lecun_uniform",
        "lecun_normal", "orthogonal", "random_normal", "random_uniform",
    ]  # fmt: skip
    architecture: ArchitectureParameters = ArchitectureParameters()
    l1: float = Field(ge=0, allow_inf_nan=False)
    l2: float = Field(ge=0, allow_inf_nan=False)

    def list_code(self) -> list[str]:
        return super().list_code() + [self.network] * ("." in self.network)
