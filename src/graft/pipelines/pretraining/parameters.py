"""Parameters of the pretraining stage."""

from typing import Annotated

from pydantic import AfterValidator, Field, PositiveFloat, PositiveInt

from graft.parameters.base import StageParameters
from graft.pipelines.pretraining.letters import FONTS


def _check_dev_fonts(dev_fonts: tuple[str, ...]) -> tuple[str, ...]:
    if not set(dev_fonts) < set(FONTS):
        raise ValueError(
            f"dev_fonts must be some, not all, of {', '.join(FONTS)}. Hold out fewer fonts, or "
            f"correct the names. Received: {', '.join(dev_fonts)}"
        )
    return dev_fonts


class PretrainingParameters(StageParameters):
    """What is drawn, and how the small CNN is trained on it.

    Attributes:
        seed: Of the letters drawn, the first weights, dropout and the order of the pictures.
        count_per_letter: Pictures of each letter, over all fonts.
        dev_fonts: Fonts that are held out: they measure, they never train.
        epochs: Passes over the pictures; all are run.
        batch_size: Pictures a step.
        learning_rate: Highest of AdamW, after the warm-up; a cosine then takes it to 0.
        warmup_share: Share of all steps over which the learning rate rises from 0.
        weight_decay: Of AdamW, apart from the loss.
        dropout: Share of the features hidden from the letter head at each step.
        label_smoothing: Share of the target spread over all letters.
    """

    seed: int = Field(ge=0)
    count_per_letter: PositiveInt
    dev_fonts: Annotated[tuple[str, ...], Field(min_length=1), AfterValidator(_check_dev_fonts)]
    epochs: PositiveInt
    batch_size: PositiveInt
    learning_rate: PositiveFloat
    warmup_share: float = Field(ge=0, lt=1)
    weight_decay: float = Field(ge=0)
    dropout: float = Field(ge=0, lt=1)
    label_smoothing: float = Field(ge=0, lt=1)
