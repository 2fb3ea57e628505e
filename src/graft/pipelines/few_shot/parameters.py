"""Parameters of the few-shot stage."""

from pydantic import Field, PositiveFloat, PositiveInt

from graft.parameters.base import StageParameters


class FewShotParameters(StageParameters):
    """Both networks are trained with one recipe, for a fixed number of steps.

    Nothing is stopped early or chosen: who has five labels a class has no dev split to choose
    by, and dev stays unseen until it is measured on.

    Attributes:
        label_counts: Numbers of labelled pictures a class to try.
        repeats: Draws of pictures for each number; the seeds count up from ``seed``.
        steps: Training steps.
        batch_size: Pictures a step, or all if there are fewer.
        learning_rate: Of Adam.
        dropout: Share of features dropped in training.
        weight_decay: Factor of the L2 penalty on the weights of the head.
        confidence: Coverage of the interval of the difference.
        seed: Seed of the first draw.
    """

    label_counts: list[PositiveInt] = Field(min_length=1)
    repeats: int = Field(ge=2)
    steps: PositiveInt
    batch_size: PositiveInt
    learning_rate: PositiveFloat
    dropout: float = Field(ge=0, lt=1)
    weight_decay: float = Field(ge=0)
    confidence: float = Field(gt=0, lt=1)
    seed: int = Field(ge=0)
