"""Parameters of the decoding stage."""

from pydantic import Field, PositiveInt

from graft.parameters import StageParameters


class DecodingParameters(StageParameters):
    """How pictures become pixels.

    Attributes:
        image_size: Side of the square that every picture is resized to, in pixels.
        max_pixels: Largest allowed width × height of a picture file.
        workers: Threads that decode; one a processor if None.
    """

    image_size: PositiveInt
    max_pixels: int = Field(gt=0, le=89_478_485)
    workers: PositiveInt | None
