"""Parameters of the text classification."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field, PositiveInt

from graft.parameters.training import TrainingParameters


class TextParameters(TrainingParameters):
    """How texts are prepared, learnt and measured; the rest is described in the base class.

    Attributes:
        dev_share: Share of train that becomes dev.
        length: Last words of a text that the network reads.
        vocabulary: Word indices from here on count as one rare word.
        units: Length of the word vectors and of the state of the LSTM.
        dropout: Share of both that is dropped in training.
        confidence: Coverage of the intervals.
        bootstrap_draws: Resamples behind an interval.
        shown_texts: At most so many wrong texts are shown.
    """

    stage: ClassVar[str] = "text_classification"

    dev_share: float = Field(gt=0, lt=1)
    length: PositiveInt
    vocabulary: int = Field(ge=4)
    units: PositiveInt
    dropout: float = Field(ge=0, lt=1)
    confidence: float = Field(gt=0, lt=1)
    bootstrap_draws: PositiveInt
    shown_texts: PositiveInt
