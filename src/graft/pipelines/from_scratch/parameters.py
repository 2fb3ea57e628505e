"""Parameters of the training stage."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from graft.parameters.training import TrainingParameters


class ScratchTrainingParameters(TrainingParameters):
    """A network from scratch; what goes for every training is described in the base class.

    Attributes:
        network: ``none`` leaves the stage out; a network of ``graft.models.networks``; or the
            dotted path of a function of pixels and ``NetworkSettings``.
        activation: Of all layers but the last.
        initializer: Of the start weights.
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
    l1: float = Field(ge=0, allow_inf_nan=False)
    l2: float = Field(ge=0, allow_inf_nan=False)

    def list_code(self) -> list[str]:
        return super().list_code() + [self.network] * ("." in self.network)
