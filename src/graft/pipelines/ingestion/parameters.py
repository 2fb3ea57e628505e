"""Parameters of the ingestion stage."""

from pydantic import Field, PositiveInt

from graft.parameters import StageParameters


class IngestionParameters(StageParameters):
    """What counts as a usable picture.

    Attributes:
        min_side: Shortest allowed side, in pixels.
        max_pixels: Largest allowed width × height. Pillow's own limit against decompression
            bombs, 89,478,485, cannot be raised.
        workers: Threads that decode; one a processor if None.
    """

    min_side: PositiveInt
    max_pixels: int = Field(gt=0, le=89_478_485)
    workers: PositiveInt | None
