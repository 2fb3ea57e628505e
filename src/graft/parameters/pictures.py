"""How pictures become pixels: the parameters of every stage that decodes them."""

from typing import ClassVar, Literal

from pydantic import Field, PositiveInt

from graft.parameters.base import StageParameters


class DecodingParameters(StageParameters):
    """How pictures become pixels.

    Attributes:
        image_size: Side of the square that every picture is resized to, in pixels.
        max_pixels: Largest allowed width × height of a picture file.
        colour: ``rgb``; ``grey`` (ITU-R BT.601) or ``lab_l`` (lightness of CIELAB), of which a
            picture has one channel.
        seconds_per_picture: Longest time that decoding one picture may take.
        memory_mb: Most memory that decoding one picture may take, in MiB; enforced on Linux.
        workers: Processes that decode; one a processor if None.
    """

    # A picture that breaks a limit ends the run: no limit changes the pixels of one that does not.
    not_fingerprinted: ClassVar[frozenset[str]] = frozenset(
        {"seconds_per_picture", "memory_mb", "workers"}
    )

    image_size: PositiveInt
    max_pixels: int = Field(gt=0, le=89_478_485)
    colour: Literal["rgb", "grey", "lab_l"] = "rgb"
    seconds_per_picture: float = Field(gt=0, allow_inf_nan=False)
    memory_mb: int = Field(ge=64)
    workers: PositiveInt | None
