"""Parameters of the evaluation stage."""

from pydantic import Field, PositiveInt

from graft.parameters import StageParameters


class EvaluationParameters(StageParameters):
    """How figures are measured and shown.

    Attributes:
        confidence: Coverage of the intervals.
        bootstrap_draws: Resamples behind an interval.
        checked_pictures: Pictures of dev that go through the saved classifier too, to prove
            that it gives what was measured.
        flattery_pictures: Pictures on which splits are compared, about.
        flattery_draws: Random splits that the real one is compared with.
        show_all_candidates: Whether the figures on test of models that were not chosen are shown
            too; each of them then counts as a look at test.
        human_error: Share of such pictures that people get wrong, for the ladder of errors; null
            if unknown.
        seed: Seed of the bootstrap and of the random splits.
    """

    confidence: float = Field(gt=0, lt=1)
    bootstrap_draws: PositiveInt
    checked_pictures: PositiveInt
    flattery_pictures: int = Field(ge=100)
    flattery_draws: int = Field(ge=2)
    show_all_candidates: bool = False
    human_error: float | None = Field(default=None, ge=0, lt=1)
    seed: int = Field(ge=0)


class TrainSampleParameters(StageParameters):
    """Which pictures of train are measured beside the held-out ones, for the ladder of errors.

    They stand apart from the other parameters: what is predicted depends on nothing else.

    Attributes:
        pictures: At most so many, drawn at random; the same for every model.
        seed: Seed of the draw.
    """

    pictures: PositiveInt
    seed: int = Field(ge=0)
