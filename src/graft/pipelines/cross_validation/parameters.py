"""Parameters of the cross-validation."""

from __future__ import annotations

from pydantic import Field

from graft.parameters.base import StageParameters


class CrossValidationParameters(StageParameters):
    """Every fold is measured once, by a training on the others.

    Attributes:
        folds: Parts of all pictures but those of test, dealt anew by class and cluster; null
            takes the column ``fold`` of ``splits``, in which pictures stay as new ones come.
        fine_tuning: Whether each fold's last blocks are fine-tuned as well.
        confidence: Coverage of the interval of the mean.
        seed: Of the folds.
    """

    folds: int | None = Field(ge=3)
    fine_tuning: bool
    confidence: float = Field(gt=0, lt=1)
    seed: int = Field(ge=0)
