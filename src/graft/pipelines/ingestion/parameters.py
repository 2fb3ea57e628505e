"""Parameters of the ingestion stage."""

from typing import Any, ClassVar, Literal

from pydantic import Field, PositiveInt, field_validator

from graft.images.deep_pictures import parse_range
from graft.parameters.base import StageParameters


class IngestionParameters(StageParameters):
    """What counts as a usable picture.

    Attributes:
        min_side: Shortest allowed side, in pixels.
        max_pixels: Largest allowed width × height. Pillow's own limit against decompression
            bombs, 89,478,485, cannot be raised.
        seconds_per_picture: Longest time that decoding one picture may take.
        memory_mb: Most memory that decoding one picture may take, in MiB; enforced on Linux.
        value_range: Of pictures of more than 8 bits, which values become black and white: ``auto``
            (one range for all, by their tags, else by the depth that holds the values of all:
            10, 12, 14 or 16 bits) or such as ``0-4095``.
        near_duplicate_radius: Largest Hamming distance of the hashes of look-alikes, in bits;
            None looks for exact copies alone.
        label_conflicts: What becomes of a picture that stands under two labels: ``drop`` both,
            ``keep`` both, or ``error``.
        include_classes: Patterns (``*``, ``?``, ``[…]``) for names of classes: only these count;
            all if there is none. Like the three that follow, one text or a list.
        exclude_classes: Patterns for names of classes that do not count.
        include_files: Patterns for names of pictures: only these count.
        exclude_files: Patterns for names of pictures that do not count.
        min_class_size: Classes with fewer usable pictures are left out.
        merge_similar_names: Whether classes whose names differ in capitals, spaces around or the
            writing of a number alone become one, with the name of most pictures.
        workers: Processes that decode; one a processor if None.
    """

    # The limits count: they decide which pictures are usable.
    not_fingerprinted: ClassVar[frozenset[str]] = frozenset({"workers"})

    min_side: PositiveInt
    max_pixels: int = Field(gt=0, le=89_478_485)
    seconds_per_picture: float = Field(gt=0, allow_inf_nan=False)
    memory_mb: int = Field(ge=64)
    value_range: str = "auto"
    near_duplicate_radius: int | None = Field(ge=0, le=8)
    label_conflicts: Literal["drop", "keep", "error"]
    include_classes: list[str] = Field(default_factory=list)
    exclude_classes: list[str] = Field(default_factory=list)
    include_files: list[str] = Field(default_factory=list)
    exclude_files: list[str] = Field(default_factory=list)
    min_class_size: PositiveInt = 1
    merge_similar_names: bool = False
    workers: PositiveInt | None

    @field_validator("value_range")
    @classmethod
    def _is_a_range(cls, text: str) -> str:
        if text != "auto" and parse_range(text) is None:
            raise ValueError("value_range must be auto, or two numbers such as 0-4095")
        return text

    @field_validator(
        "include_classes", "exclude_classes", "include_files", "exclude_files", mode="before"
    )
    @classmethod
    def _make_list(cls, patterns: Any) -> Any:
        return [patterns] if isinstance(patterns, str) else patterns
