"""How a network is fine-tuned: the parameters of every stage that does it."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field, NonNegativeInt, PositiveInt, field_validator

from graft.parameters import StageParameters
from graft.training_parameters import TrainingParameters


class AugmentationParameters(StageParameters):
    """How far the pictures to train on are changed; 0 leaves them as they are.

    Attributes:
        rotation: Up to so many degrees either way.
        zoom: Share: 0.2 shows from 0.8 to 1.2 of the picture's side.
        shift: Share of the side, each way.
        shear: Degrees either way.
        horizontal_flip: Mirrors every second picture; not for digits, signs or text.
        fill_mode: What lies outside of the picture: ``nearest``, ``reflect``, ``wrap`` or
            ``constant`` (black).
        brightness: Share of the whole range, added or taken.
        contrast: Share: 0.2 spreads the values around their mean by 0.8 to 1.2.
    """

    rotation: float = Field(ge=0, le=180)
    zoom: float = Field(ge=0, lt=1)
    shift: float = Field(ge=0, lt=1)
    shear: float = Field(ge=0, lt=90)
    horizontal_flip: bool
    fill_mode: Literal["nearest", "reflect", "wrap", "constant"]
    brightness: float = Field(ge=0, lt=1)
    contrast: float = Field(ge=0, lt=1)


class FineTuningParameters(TrainingParameters):
    """Which blocks are trained further, on what, and how.

    Attributes:
        unfreeze: Name of the first block to train (``--pipelines=describe_backbone`` lists
            them), the number of last blocks, ``all``, or ``none`` to leave the stage out.
        activation_cache: Whether the output of the frozen blocks is computed once and stored;
            otherwise the whole network runs in every epoch, on freshly augmented pictures.
        views: Augmented views of each picture that are stored beside the picture itself.
        activation_dtype: Of what is stored: ``float16`` halves the file and rounds to three
            decimal digits; ``float32`` is exact.
        activation_batch_size: Pictures a pass through the frozen blocks.
        augmentation: How far the views differ from the picture.
        layer_decay: Factor of the learning rate of a block against the block after it.
    """

    stage: ClassVar[str] = "fine_tuning"

    unfreeze: str | int
    activation_cache: bool
    views: NonNegativeInt
    activation_dtype: Literal["float16", "float32"]
    activation_batch_size: PositiveInt
    augmentation: AugmentationParameters
    layer_decay: float = Field(gt=0, le=1)

    @field_validator("unfreeze", mode="before")
    @classmethod
    def _check_unfreeze(cls, unfreeze: object) -> object:
        is_number = isinstance(unfreeze, int) and not isinstance(unfreeze, bool) and unfreeze > 0
        if not is_number and not (isinstance(unfreeze, str) and unfreeze):
            raise ValueError(
                "allowed are the name of a block, a number of blocks from 1, 'all' and 'none'"
            )
        return unfreeze
