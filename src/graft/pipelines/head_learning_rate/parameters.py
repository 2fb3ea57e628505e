"""Parameters of the learning-rate test."""

from pydantic import PositiveFloat

from graft.parameters.base import StageParameters


class LearningRateTestParameters(StageParameters):
    """Over which rates the test goes; all else is as in the training.

    Attributes:
        lowest: Rate of the first step.
        highest: Rate of the last step.
    """

    lowest: PositiveFloat
    highest: PositiveFloat
