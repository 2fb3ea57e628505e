"""Parameters of the comparison of runs."""

from typing import Any

from pydantic import Field, PositiveInt, field_validator

from graft.parameters.base import StageParameters


class CompareRunsParameters(StageParameters):
    """With which run this one is compared, and how.

    Attributes:
        other: Name of the other run: of its folder in every layer of data/.
        confidence: Coverage of the intervals; 1 less the level of the test.
        bootstrap_draws: Resamples behind an interval.
        seed: Seed of the bootstrap.
    """

    other: str | None
    confidence: float = Field(gt=0, lt=1)
    bootstrap_draws: PositiveInt
    seed: int = Field(ge=0)

    @field_validator("other", mode="before")
    @classmethod
    def name_numbers(cls, value: Any) -> Any:
        """Take a folder that is named by a number, which the command line reads as one."""
        return str(value) if isinstance(value, int) else value
