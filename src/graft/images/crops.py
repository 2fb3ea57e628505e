"""The part of a picture that a record is about, as text in a table."""

from __future__ import annotations

import re

from graft.errors import GraftError

Box = tuple[int, int, int, int]


def parse_crop(text: str | None) -> Box | None:
    """Read a crop.

    Args:
        text: ``"left,top,right,bottom"`` in whole pixels of the upright picture, right and bottom
            exclusive, as Pillow counts; missing (None or NaN) for the whole picture.

    Returns:
        The four numbers; None for the whole picture.

    Raises:
        GraftError: If the text is anything else, or the part is empty.

    Examples:
        >>> parse_crop("6,5,37,36")
        (6, 5, 37, 36)
    """
    if not isinstance(text, str):
        return None
    match = re.fullmatch(r"([0-9]{1,9}),([0-9]{1,9}),([0-9]{1,9}),([0-9]{1,9})", text)
    if match:
        left, top, right, bottom = map(int, match.groups())
        if left < right and top < bottom:
            return left, top, right, bottom
    raise GraftError(
        "a crop is 'left,top,right,bottom' in whole pixels, left below right and top below "
        f"bottom; got {text[:80]!r}"
    )


def scale_crop(crop: Box, measured: tuple[int, int], actual: tuple[int, int]) -> Box:
    """The same part of the same picture at another size, in whole pixels that cover it.

    Args:
        crop: The part.
        measured: Width and height of the picture in whose pixels the part is given.
        actual: Width and height of the picture that there is.

    Examples:
        >>> scale_crop((6, 5, 37, 36), measured=(42, 41), actual=(84, 41))
        (12, 5, 74, 36)
    """
    (left, top, right, bottom), (width, height) = crop, measured
    return (
        left * actual[0] // width,
        top * actual[1] // height,
        -(-right * actual[0] // width),
        -(-bottom * actual[1] // height),
    )


def format_crop(cells: list[str]) -> str | None:
    """Four cells of a table as the text of a crop; None if all of them are empty.

    Raises:
        GraftError: If they are no part of a picture.

    Examples:
        >>> format_crop(["6", "5", "37.0", "36"])
        '6,5,37,36'
    """
    numbers = [re.sub(r"\.0*$", "", cell.strip()) for cell in cells]
    if not any(numbers):
        return None
    crop = parse_crop(",".join(numbers))
    return crop and join_crop(crop)


def join_crop(crop: Box) -> str:
    """A crop as text."""
    return ",".join(map(str, crop))
