"""Parameters of the evaluation stage."""

from pydantic import Field, PositiveInt

from graft.parameters import StageParameters


class EvaluationParameters(StageParameters):
    """How figures are measured and shown.

    Attributes:
        confidence: Coverage of the intervals.
        bootstrap_draws: Resamples behind an interval.
        gallery_size: At most so many wrong pictures are shown.
        checked_pictures: Pictures of dev that go through the saved classifier too, to prove
            that it gives what was measured.
        seed: Seed of the bootstrap.
    """

    confidence: float = Field(gt=0, lt=1)
    bootstrap_draws: PositiveInt
    gallery_size: PositiveInt
    checked_pictures: PositiveInt
    seed: int = Field(ge=0)
