"""How a network is fine-tuned: the parameters of every stage that does it."""

from __future__ import annotations

import math
import re
from typing import Any, ClassVar, Literal, Self

from pydantic import (
    Field,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    field_validator,
    model_validator,
)

from graft.parameters.base import StageParameters
from graft.parameters.training import TrainingParameters


class AugmentationParameters(StageParameters):
    """How far the pictures to train on are changed; 0 leaves them as they are.

    Attributes:
        rotation: Up to so many degrees either way.
        zoom: Share: 0.2 shows from 0.8 to 1.2 of the picture's side.
        shift: Share of the side, each way.
        shear: Degrees either way.
        horizontal_flip: Mirrors every second picture: ``true``, ``false`` (for digits, signs and
            text), or ``auto``: if dev shows that a mirrored picture still shows what it did
            (:mod:`graft.analysis.mirroring`).
        fill_mode: What lies outside of the picture: ``nearest``, ``reflect``, ``wrap`` or
            ``constant`` (black).
        brightness: Share of the whole range, added or taken.
        contrast: Share: 0.2 spreads the values around their mean by 0.8 to 1.2.
    """

    rotation: float = Field(ge=0, le=180)
    zoom: float = Field(ge=0, lt=1)
    shift: float = Field(ge=0, lt=1)
    shear: float = Field(ge=0, lt=90)
    horizontal_flip: bool | Literal["auto"]
    fill_mode: Literal["nearest", "reflect", "wrap", "constant"]
    brightness: float = Field(ge=0, lt=1)
    contrast: float = Field(ge=0, lt=1)


_TIME = re.compile(r"(\d+(?:\.\d+)?) *(s|min|h)")
_SECONDS = {"s": 1, "min": 60, "h": 3600}

RecipeName = Literal[
    "auto", "custom", "head", "last_block", "all", "all_gently", "half", "all_long"
]
# What a recipe decides; to be given with the recipe `custom` alone.
OF_CUSTOM = (
    "unfreeze", "learning_rate", "schedule", "warmup_share", "reduce_factor", "reduce_after",
    "epochs", "repeats", "patience", "keep", "layer_decay", "label_smoothing", "views",
)  # fmt: skip


class FineTuningParameters(TrainingParameters):
    """Which blocks are trained further, on what, and how.

    Attributes:
        recipe: ``auto``: the recipes of :mod:`graft.training.tuning_recipes` race, and dev
            decides; the name of one of them; or ``custom``: the parameters of ``OF_CUSTOM``,
            which go with no other.
        budget: Of ``auto``: forward passes of the whole network over all training pictures that
            the deep recipes may cost together; with few pictures it counts as for more, see
            :func:`graft.training.tuning_recipes.find_allowance`. Or a time for all recipes, such
            as ``90 s``, ``5 min`` or ``1 h``, which is turned into passes once.
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
        repeats: How often a picture stands in an epoch, each time in a view of its own.
        mixup: Alpha of mixup (:mod:`graft.training.mixup`); 0 mixes nothing.
    """

    stage: ClassVar[str] = "fine_tuning"

    recipe: RecipeName = "custom"
    budget: float | str = 125.0
    unfreeze: str | int = 1
    learning_rate: PositiveFloat = Field(default=3e-5, allow_inf_nan=False)
    schedule: str = "cosine"
    warmup_share: float = Field(default=0.1, ge=0, lt=1)
    epochs: PositiveInt = 10
    patience: PositiveInt = 5
    activation_cache: bool
    views: NonNegativeInt = 2
    activation_dtype: Literal["float16", "float32"]
    activation_batch_size: PositiveInt
    augmentation: AugmentationParameters
    layer_decay: float = Field(default=1.0, gt=0, le=1)
    repeats: PositiveInt = 1
    mixup: float = Field(default=0.0, ge=0, allow_inf_nan=False)

    @property
    def budget_seconds(self) -> float | None:
        """The budget in seconds; None if it is one in passes."""
        if not isinstance(self.budget, str):
            return None
        # For the type checker: a text that is no time was refused by the validator.
        number, unit = _TIME.fullmatch(self.budget).groups()  # type: ignore[union-attr]
        return float(number) * _SECONDS[unit]

    @field_validator("budget", mode="before")
    @classmethod
    def _check_budget(cls, budget: object) -> object:
        if isinstance(budget, str):
            found = _TIME.fullmatch(budget.strip())
            if found and float(found[1]):
                return f"{found[1]} {found[2]}"
        elif isinstance(budget, int | float) and 0 < budget < math.inf and budget is not True:
            return budget
        raise ValueError(
            "allowed are passes, a number above 0, or a time above 0 with its unit: 90 s, 5 min, "
            "1 h"
        )

    @field_validator("unfreeze", mode="before")
    @classmethod
    def _check_unfreeze(cls, unfreeze: object) -> object:
        is_number = isinstance(unfreeze, int) and not isinstance(unfreeze, bool) and unfreeze > 0
        if not is_number and not (isinstance(unfreeze, str) and unfreeze):
            raise ValueError(
                "allowed are the name of a block, a number of blocks from 1, 'all' and 'none'"
            )
        return unfreeze

    @model_validator(mode="after")
    def _refuse_what_the_recipe_decides(self) -> Self:
        given = [name for name in OF_CUSTOM if name in self.model_fields_set]
        if self.recipe != "custom" and given:
            raise ValueError(
                f"the recipe '{self.recipe}' decides {given[0]} itself; add recipe=custom "
                f"(fine_tuning.recipe=custom) to set it; got {given[0]} {getattr(self, given[0])}"
            )
        return self


def find_settings(
    fine_tuning: FineTuningParameters, fine_tuned_recipe: dict[str, Any]
) -> FineTuningParameters:
    """How another stage fine-tunes: by the recipe that won, it does not race; or as told.

    Whether pictures are mirrored, if that was to be found, is as that stage found it.

    Args:
        fine_tuning: Of the fine-tuning stage.
        fine_tuned_recipe: What that stage did.
    """
    if fine_tuning.recipe == "custom":
        augmentation = fine_tuning.augmentation
        if augmentation.horizontal_flip == "auto":
            found = fine_tuned_recipe["parameters"]["augmentation"]["horizontal_flip"]
            augmentation = augmentation.model_copy(update={"horizontal_flip": found})
        return fine_tuning.model_copy(update={"augmentation": augmentation})
    return FineTuningParameters.model_validate(fine_tuned_recipe["parameters"])
