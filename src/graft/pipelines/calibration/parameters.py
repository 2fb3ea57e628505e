"""Parameters of the calibration stage."""

from __future__ import annotations

from typing import Self

from pydantic import Field, PositiveFloat, PositiveInt, model_validator

from graft.parameters import StageParameters


class CalibrationParameters(StageParameters):
    """How calibration is measured, and what a threshold is to achieve on dev.

    Without costs and without a wanted precision no threshold is chosen: the most probable class
    is the answer.

    Attributes:
        bins: Of the calibration error and of the reliability diagram.
        draws: Simulated classifiers that are perfectly calibrated, to compare with.
        confidence: Coverage of the intervals, and how sure the wanted precision is promised.
        positive_class: With two classes, the one that a threshold is about; null is the second.
        cost_false_positive: With two classes, cost of another picture taken for that class.
        cost_false_negative: Cost of a picture of that class that is missed.
        wanted_precision: With two classes, share of the pictures taken for the positive class
            that must be of it; with more, share of all answers that must be right, the
            unsure pictures left unanswered. Promised for new pictures, so below 1.
        seed: Of the simulation.
    """

    bins: int = Field(ge=2, le=100)
    draws: PositiveInt
    confidence: float = Field(gt=0, lt=1)
    positive_class: str | None = Field(coerce_numbers_to_str=True)
    cost_false_positive: PositiveFloat | None
    cost_false_negative: PositiveFloat | None
    wanted_precision: float | None = Field(gt=0, lt=1)
    seed: int = Field(ge=0)

    @model_validator(mode="after")
    def _refuse_contradictions(self) -> Self:
        costs = (self.cost_false_positive, self.cost_false_negative)
        if (costs[0] is None) != (costs[1] is None):
            raise ValueError(
                "cost_false_positive and cost_false_negative weigh against each other; give both "
                f"or neither; got {costs[0]} and {costs[1]}"
            )
        if costs[0] is not None and self.wanted_precision is not None:
            raise ValueError(
                "a threshold is chosen by costs or by wanted_precision; set one of them to null; "
                f"got costs {costs[0]:g} and {costs[1]:g} and precision {self.wanted_precision:g}"
            )
        return self
