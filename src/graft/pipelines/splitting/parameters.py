"""Parameters of the splitting stage."""

from typing import Self

from pydantic import Field, model_validator

from graft.parameters import StageParameters


class SplittingParameters(StageParameters):
    """Shares of the pictures of every class.

    Attributes:
        train: Share to learn from.
        dev: Share to choose by: epochs, thresholds, the better model.
        test: Share that is looked at once, for the final figures.
        seed: Another seed draws other pictures.
    """

    train: float = Field(gt=0, lt=1)
    dev: float = Field(gt=0, lt=1)
    test: float = Field(gt=0, lt=1)
    seed: int = Field(ge=0)

    @model_validator(mode="after")
    def _sum_to_one(self) -> Self:
        total = self.train + self.dev + self.test
        if abs(total - 1) > 1e-6:
            raise ValueError(
                "train, dev and test must sum to 1, such as 0.6, 0.2 and 0.2; "
                f"got {self.train} + {self.dev} + {self.test} = {total:.6g}"
            )
        return self

    @property
    def fractions(self) -> dict[str, float]:
        """Share of each split, by its name."""
        return {"train": self.train, "dev": self.dev, "test": self.test}
