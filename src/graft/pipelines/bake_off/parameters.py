"""Parameters of the bake-off."""

from __future__ import annotations

import re
from typing import ClassVar

from pydantic import Field, PositiveInt, field_validator

from graft.parameters.base import StageParameters

_ENTRY = re.compile(r"(?P<name>[A-Za-z]\w*)@(?P<size>\d+)")


class BakeOffParameters(StageParameters):
    """Which backbones are compared, and how.

    ``--params`` takes no list, so they stand in one text: ``MobileNetV2@96+ResNet50@224``.

    Attributes:
        backbones: ``NAME@SIZE`` of each, joined by ``+``; the size is the side of the pictures.
        folds: Of train, by which the heads are scored.
        race_budget: Passes of a short race of fine-tuning recipes with each backbone, as
            ``fine_tuning.budget``; 0 for none.
        batch_size: Pictures a forward pass.
        confidence: Coverage of the intervals.
        seed: Of the folds.
    """

    stage: ClassVar[str] = "bake_off"

    backbones: str
    folds: int = Field(ge=2)
    race_budget: float = Field(ge=0, allow_inf_nan=False)
    batch_size: PositiveInt
    confidence: float = Field(gt=0, lt=1)
    seed: int = Field(ge=0)

    @field_validator("backbones")
    @classmethod
    def _check_backbones(cls, backbones: str) -> str:
        entries = backbones.split("+")
        wrong = [entry for entry in entries if not _ENTRY.fullmatch(entry)]
        if wrong:
            raise ValueError(
                "each is NAME@SIZE, several are joined by +, such as MobileNetV2@96+ResNet50@224; "
                f"'{wrong[0]}' is not"
            )
        if len(set(entries)) < len(entries):
            raise ValueError("each may stand there once")
        return backbones

    def list_backbones(self) -> list[tuple[str, int]]:
        """Name and size of picture of each, in the order given.

        Examples:
            >>> BakeOffParameters(
            ...     backbones="MobileNetV2@96+small_cnn@8", folds=4, race_budget=0,
            ...     batch_size=32, confidence=0.95, seed=0,
            ... ).list_backbones()
            [('MobileNetV2', 96), ('small_cnn', 8)]
        """
        found = (_ENTRY.fullmatch(entry) for entry in self.backbones.split("+"))
        return [(match["name"], int(match["size"])) for match in found if match]
