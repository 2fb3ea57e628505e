"""Parameters of the ingestion stage."""

from typing import ClassVar, Literal

from pydantic import Field, PositiveInt

from graft.parameters.base import StageParameters


class IngestionParameters(StageParameters):
    """What counts as a usable picture.

    Attributes:
        min_side: Shortest allowed side, in pixels.
        max_pixels: Largest allowed width × height. Pillow's own limit against decompression
            bombs, 89,478,485, cannot be raised.
        seconds_per_picture: Longest time that decoding one picture may take.
        memory_mb: Most memory that decoding one picture may take, in MiB; enforced on Linux.
        near_duplicate_radius: Largest Hamming distance of the hashes of look-alikes, in bits;
            None looks for exact copies alone.
        label_conflicts: What becomes of a picture that stands under two labels: ``drop`` both,
            ``keep`` both, or ``error``.
        workers: Processes that decode; one a processor if None.
    """

    # The limits count: they decide which pictures are usable.
    not_fingerprinted: ClassVar[frozenset[str]] = frozenset({"workers"})

    min_side: PositiveInt
    max_pixels: int = Field(gt=0, le=89_478_485)
    seconds_per_picture: float = Field(gt=0, allow_inf_nan=False)
    memory_mb: int = Field(ge=64)
    near_duplicate_radius: int | None = Field(ge=0, le=8)
    label_conflicts: Literal["drop", "keep", "error"]
    workers: PositiveInt | None
