"""Pictures of more than 8 bits a value: all their bits, their range, and how they become 8.

Cameras, microscopes and X-ray detectors count to 10, 12 or 14 bits and store that in 16.
"""

from __future__ import annotations

import io
import re
import sys
from typing import Any, TypeGuard

import numpy as np
from PIL import Image
from PIL.TiffImagePlugin import TiffImageFile

from graft.errors import PictureError

ValueRange = tuple[float, float]


def parse_range(text: str | None) -> tuple[float, float] | None:
    """Two numbers with a hyphen between them, the lower first; None if it is something else.

    Examples:
        >>> parse_range("0-4095"), parse_range("-1000-3000"), parse_range("5-5")
        ((0.0, 4095.0), (-1000.0, 3000.0), None)
    """
    number = r"\s*(-?[0-9]+(?:\.[0-9]+)?)\s*"
    found = re.fullmatch(f"{number}-{number}", text or "")
    if found is None or float(found[1]) >= float(found[2]):
        return None
    return float(found[1]), float(found[2])


def scale_to_8_bits(picture: Image.Image, value_range: ValueRange | None = None) -> Image.Image:
    """Scale values of more than 8 bits down to 8.

    Args:
        picture: One of :func:`is_deep`.
        value_range: Values that become 0 and 255; what lies outside becomes these too. None takes
            what the picture alone says, see :func:`widen_range`.

    Returns:
        The picture in mode ``"L"``, ``"LA"``, ``"RGB"`` or ``"RGBA"``, not yet upright. NaN becomes
        the lowest value, infinity the nearest end.
    """
    pixels = _read_values(picture)
    if value_range is None:
        low, high = _find_range(pixels)
        low, high = (low, high) if picture.mode == "F" else widen_range(low, high)
    else:
        low, high = value_range
    scaled = np.empty(pixels.shape, np.uint8)
    for rows in _list_strips(pixels):
        strip = np.nan_to_num(pixels[rows].astype(np.float64), nan=low, posinf=high, neginf=low)
        scaled[rows] = np.clip((strip - low) / ((high - low) or 1.0), 0, 1) * 255 + 0.5
    shown = Image.fromarray(scaled)
    if picture.mode == "RGBA":
        shown.putalpha(picture.getchannel("A"))
    return shown


def widen_range(low: float, high: float) -> ValueRange:
    """The range of the instrument that gave integers from ``low`` to ``high``.

    Cameras, microscopes and X-ray detectors count to 10, 12 or 14 bits and are stored in 16.

    Examples:
        >>> widen_range(3, 900), widen_range(0, 4000), widen_range(-1000, 3000)
        ((0.0, 1023.0), (0.0, 4095.0), (-1000.0, 3000.0))
    """
    if low < 0:
        return float(low), float(high)
    ends = (float(2**bits - 1) for bits in _DEPTHS)
    return 0.0, next((end for end in ends if high <= end), float(high))


_DEPTHS = (8, 10, 12, 14, 16)
# Of TIFF: the lowest and highest value that its maker says there can be.
_S_MIN_SAMPLE_VALUE, _S_MAX_SAMPLE_VALUE = 340, 341


def is_deep(picture: Image.Image) -> bool:
    """Whether a picture of :func:`graft.images.decoding.open_picture` has more than 8 bits a value.

    These are greys in Pillow's modes ``I`` and ``F``, and what :func:`keep_low_bits` knows.
    """
    return picture.mode.startswith(("I", "F")) or _LOW_BITS in picture.info


# Where a picture of 16 bits a channel keeps a second reading of its file, for its low bytes.
_LOW_BITS = "graft_low_bits"
# Pillow's names for the bytes of a file; what reads the other byte of every value.
_OTHER_BYTE = {"16B": "16L", "16L": "16B", "16N": "16B" if sys.byteorder == "little" else "16L"}
_COLOURS = re.compile(r"(RGB|RGBA|RGBX|[RGBA]);16[BLN]")
# Of TIFF.
_BITS_PER_SAMPLE, _PLANAR_CONFIGURATION, _A_PLANE_A_COLOUR = 258, 284, 2
_GREY_WITH_ALPHA = "LA;16B"


def keep_low_bits(picture: Image.Image, data: bytes) -> None:
    """Let a picture of 16 bits a channel know the bits that Pillow leaves out.

    Of colours Pillow reads the upper 8 bits, which makes 12 bits in a file of 16 almost black. But
    it can be told to take the lower byte of every value for the upper one: two readings are the
    whole. Both are lazy. Other pictures are left as they are.

    Args:
        picture: As it is opened, without its pixels.
        data: The file's bytes.

    Raises:
        PictureError: If Pillow would read it wrong.
    """
    names = [_name_bytes(tile) for tile in getattr(picture, "tile", ())]
    if _is_tiff_of_deep_planes(picture):
        if picture.tile[0].codec_name == "libtiff":
            raise PictureError(
                "a TIFF of 16 bits, a compressed plane a colour, which Pillow reads wrong: save it "
                "without compression, or with the colours of a pixel side by side"
            )
        # Pillow takes each byte of a plane for a value.
        names = [f"{name};16{'L' if picture.tag_v2.prefix == b'II' else 'B'}" for name in names]
        picture.tile = _name_again(picture.tile, names)
    if names == [_GREY_WITH_ALPHA]:
        # Two bytes of grey and two of alpha, read as they are, as if they were four colours.
        others = ["RGBA"]
    elif names and all(_COLOURS.fullmatch(name) for name in names):
        others = [f"{name[:-3]}{_OTHER_BYTE[name[-3:]]}" for name in names]
    else:
        return
    low = Image.open(io.BytesIO(data), formats=[str(picture.format)])
    low.tile = _name_again(low.tile, others)
    picture.info[_LOW_BITS] = low, names == [_GREY_WITH_ALPHA]


def _is_tiff_of_deep_planes(picture: Image.Image) -> TypeGuard[TiffImageFile]:
    if not isinstance(picture, TiffImageFile):
        return False
    bits = picture.tag_v2.get(_BITS_PER_SAMPLE, ())
    planes = picture.tag_v2.get(_PLANAR_CONFIGURATION)
    return {*bits} == {16} and len(bits) > 1 and planes == _A_PLANE_A_COLOUR


def _name_bytes(tile: Any) -> str:
    """Pillow's name for the bytes of a part of a file, such as ``RGB;16B``."""
    return str(tile.args[0] if isinstance(tile.args, tuple) else tile.args)


def _name_again(tiles: list[Any], names: list[str]) -> list[Any]:
    """The same parts of a file, whose bytes are read by other names."""
    renamed = zip(tiles, names, strict=True)
    return [
        tile._replace(args=(name, *tile.args[1:]) if isinstance(tile.args, tuple) else name)
        for tile, name in renamed
    ]


def _read_values(picture: Image.Image) -> np.ndarray:
    """All bits of a picture: (H, W) or (H, W, 3), without alpha."""
    if _LOW_BITS not in picture.info:
        return np.asarray(picture)
    second, is_grey = picture.info[_LOW_BITS]
    low = np.asarray(second, dtype=np.uint16)
    if is_grey:
        return low[..., 0] << 8 | low[..., 1]
    return np.asarray(picture, dtype=np.uint16)[..., :3] << 8 | low[..., :3]


def read_range(picture: Image.Image) -> ValueRange:
    """Lowest and highest value of a deep picture, by its tags, else its pixels."""
    low, high = _find_range(_read_values(picture))
    tags = getattr(picture, "tag_v2", {})
    low = _read_tag(tags.get(_S_MIN_SAMPLE_VALUE), low)
    return low, max(_read_tag(tags.get(_S_MAX_SAMPLE_VALUE), high), low)


def _read_tag(value: Any, otherwise: float) -> float:
    value = value[0] if isinstance(value, tuple) and value else value
    return float(value) if isinstance(value, int | float) else otherwise


def _find_range(pixels: np.ndarray) -> tuple[float, float]:
    """Lowest and highest finite value; 0 and 1 if there is none."""
    low, high = np.inf, -np.inf
    for rows in _list_strips(pixels):
        strip = pixels[rows].astype(np.float64)
        finite = strip[np.isfinite(strip)]
        low, high = finite.min(initial=low), finite.max(initial=high)
    return (float(low), float(high)) if low <= high else (0.0, 1.0)


def _list_strips(pixels: np.ndarray) -> list[slice]:
    """Rows for which arithmetic in 64 bits takes little memory."""
    height = max(1, 2**20 // pixels[0].size)
    return [slice(start, start + height) for start in range(0, len(pixels), height)]
