"""Parameters of the export pipeline."""

from typing import Literal

from pydantic import Field, PositiveInt

from graft.parameters.base import StageParameters


class ExportParameters(StageParameters):
    """Which formats, and how they are checked.

    Attributes:
        formats: Of ``onnx``, ``saved_model``, ``litert`` and ``litert_int8``.
        checked_pictures: Pictures of dev, at most, that every format is checked on.
        calibration_pictures: Pictures of train by which int8 finds the ranges of values.
        largest_difference: Of a probability, between the champion and a format in floats.
        heat_map: Whether a network that shows what the champion looked at goes with ``onnx``.
        nearest_pictures: How many pictures of train, the nearest ones, the page may show beside a
            picture; 0 exports none. They are pictures of train, small, for whoever asks.
        repeats: Calls that a latency is the median of.
        seed: Seed of the draw of pictures to calibrate by.
    """

    formats: list[Literal["onnx", "saved_model", "litert", "litert_int8"]] = Field(min_length=1)
    checked_pictures: PositiveInt
    calibration_pictures: PositiveInt
    largest_difference: float = Field(gt=0)
    heat_map: bool
    nearest_pictures: int = Field(ge=0, le=12)
    repeats: PositiveInt
    seed: int = Field(ge=0)
