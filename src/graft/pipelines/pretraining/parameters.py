"""Parameters of the pretraining stage (`params:pretraining`)."""

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from graft.images.letters import FONTS


def _check_dev_fonts(dev_fonts: tuple[str, ...]) -> tuple[str, ...]:
    if not set(dev_fonts) < set(FONTS):
        raise ValueError(
            f"dev_fonts must be some, not all, of {', '.join(FONTS)}. Hold out fewer fonts, or "
            f"correct the names. Received: {', '.join(dev_fonts)}"
        )
    return dev_fonts


class PretrainingParameters(BaseModel):
    """What is drawn, and how the small CNN is trained on it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    seed: int = Field(ge=0)
    count_per_letter: int = Field(ge=1)
    dev_fonts: Annotated[tuple[str, ...], Field(min_length=1), AfterValidator(_check_dev_fonts)]
    epochs: int = Field(ge=1)
    batch_size: int = Field(ge=1)
    learning_rate: float = Field(gt=0)
    warmup_share: float = Field(ge=0, lt=1)
    weight_decay: float = Field(ge=0)
    dropout: float = Field(ge=0, lt=1)
    label_smoothing: float = Field(ge=0, lt=1)
