"""Parameters of the ensemble of folds."""

from __future__ import annotations

from pydantic import Field

from graft.parameters.base import StageParameters


class FoldEnsembleParameters(StageParameters):
    """How many heads answer together; how each is trained says ``head_training``.

    Attributes:
        folds: Of train, and so many heads.
        seed: Of the folds.
    """

    folds: int = Field(ge=2)
    seed: int = Field(ge=0)
