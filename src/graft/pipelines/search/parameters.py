"""Parameters of the search."""

from __future__ import annotations

from typing import ClassVar, Literal, get_args

from pydantic import Field, PositiveFloat, PositiveInt

from graft.parameters.base import StageParameters

SpaceName = Literal["head", "recipes", "network"]
SPACE_NAMES: tuple[str, ...] = get_args(SpaceName)


class SearchParameters(StageParameters):
    """What is searched, and how long.

    Attributes:
        space: ``head``: of the head on stored features; ``recipes``: how the backbone is
            fine-tuned; ``network``: a small network from scratch.
        trials: How many in all, the default included. More of them go on where fewer ended.
        minutes: No trial starts later; null for any time. How many trials there are then depends
            on the machine.
        folds: Of train, by which every trial is scored.
        workers: Processes that run trials; the trials are the same for any number.
        seed: Of the folds and of what is tried.
    """

    not_fingerprinted: ClassVar[frozenset[str]] = frozenset({"workers"})

    space: SpaceName
    trials: int = Field(ge=2)
    minutes: PositiveFloat | None
    folds: int = Field(ge=2)
    workers: PositiveInt
    seed: int = Field(ge=0)
