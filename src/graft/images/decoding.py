"""From the bytes of a picture file to pixels: the one way, for training and for serving.

Every consumer of pixels goes through :func:`open_picture` and :func:`decode_picture`, so a
picture looks the same to the network whether it is trained on, tested on or served.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import numpy as np
from PIL import ExifTags, Image, UnidentifiedImageError

from graft.errors import PictureError
from graft.images.colours import COLOURS
from graft.images.crops import Box


def scale_to_8_bits(picture: Image.Image) -> Image.Image:
    """Scale integers down from 16 bits, and floating-point numbers from their own range.

    Args:
        picture: Of one channel of integers of more than 8 bits, or of floating-point numbers.

    Returns:
        The picture in mode ``"L"``. NaN becomes the lowest value, infinity the nearest end.
    """
    pixels = np.asarray(picture)
    low, high = _find_range(pixels) if picture.mode == "F" else (0.0, 65535.0)
    scaled = np.empty(pixels.shape, np.uint8)
    for rows in _list_strips(pixels):
        strip = np.nan_to_num(pixels[rows].astype(np.float64), nan=low, posinf=high, neginf=low)
        scaled[rows] = np.clip((strip - low) / ((high - low) or 1.0), 0, 1) * 255 + 0.5
    return Image.fromarray(scaled)


def _find_range(pixels: np.ndarray) -> tuple[float, float]:
    """Lowest and highest finite value; 0 and 1 if there is none."""
    low, high = np.inf, -np.inf
    for rows in _list_strips(pixels):
        finite = pixels[rows][np.isfinite(pixels[rows])]
        low, high = finite.min(initial=low), finite.max(initial=high)
    return (float(low), float(high)) if low <= high else (0.0, 1.0)


def _list_strips(pixels: np.ndarray) -> list[slice]:
    """Rows for which arithmetic in 64 bits takes little memory."""
    height = max(1, 2**20 // pixels.shape[1])
    return [slice(start, start + height) for start in range(0, len(pixels), height)]


# Pillow warns between one and two times its pixel limit and raises above that. A warning
# in a log protects nobody: from its first limit on, a decompression bomb is an error.
warnings.filterwarnings("error", category=Image.DecompressionBombWarning)

_BACKGROUND = (255, 255, 255)
# What turns a picture upright, by its EXIF orientation.
_TURNS: dict[Any, Image.Transpose] = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def open_picture(data: bytes, max_pixels: int) -> Image.Image:
    """Open a picture without decoding its pixels.

    Args:
        data: The file's bytes.
        max_pixels: Largest allowed width × height, checked on the header alone.

    Returns:
        The lazily opened picture, at its first frame.

    Raises:
        PictureError: If the bytes are empty, no known picture format, or too large.
        MemoryError: If there is too little memory, or its header asks for too much.
    """
    if not data:
        raise PictureError("empty file (0 bytes)")
    with _decoder(f"more than the {max_pixels:,} pixels that max_pixels allows"):
        picture = Image.open(io.BytesIO(data), formats=list_formats())
    if picture.width * picture.height > max_pixels:
        raise PictureError(
            f"{picture.width}×{picture.height} pixels, more than the {max_pixels:,} "
            "that max_pixels allows"
        )
    return picture


@contextmanager
def _decoder(bomb: str) -> Iterator[None]:
    """Whatever Pillow raises in here is a fault of the picture: its plug-ins leak every kind.

    Args:
        bomb: What a picture is that is larger than Pillow itself allows.
    """
    try:
        yield
    except MemoryError:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise PictureError(bomb) from None
    except UnidentifiedImageError:
        raise PictureError("not a picture, or of a format that Pillow cannot read") from None
    except Exception as error:
        if "out of memory" in str(error):
            raise MemoryError from None
        raise PictureError(f"damaged or cut short: {_in_one_line(error)}") from None


@cache
def list_formats() -> list[str]:
    """All that Pillow decodes itself: PostScript would be run by Ghostscript, as a program."""
    Image.init()
    return [name for name in Image.OPEN if name != "EPS"]


def to_rgb(picture: Image.Image) -> Image.Image:
    """Decode a picture whole and bring it to upright 8-bit RGB.

    The EXIF orientation is applied. Transparent pictures are laid on white, for the colour
    under a transparent pixel is arbitrary. Integer greys of more than 8 bits are scaled down
    from 16 bits, and floating-point ones from their own range; Pillow itself would clip both
    to white.

    Raises:
        PictureError: If the picture is truncated or its pixels are damaged.
        MemoryError: If there is too little memory.
    """
    with _decoder("more pixels inside than its header says, and too many"):
        picture.load()
        picture = _turn_upright(picture)
        if picture.mode.startswith(("I", "F")):
            return scale_to_8_bits(picture).convert("RGB")
        if picture.has_transparency_data:
            layer = picture if picture.mode == "RGBA" else picture.convert("RGBA")
            canvas = Image.new("RGB", layer.size, _BACKGROUND)
            canvas.paste(layer, mask=layer.getchannel("A"))
            return canvas
        return picture if picture.mode == "RGB" else picture.convert("RGB")


def cut_out(picture: Image.Image, crop: Box | None) -> Image.Image:
    """Take a part of an upright picture; all of it if ``crop`` is None.

    Raises:
        PictureError: If the part is empty or leaves the picture.
    """
    if crop is None:
        return picture
    left, top, right, bottom = crop
    named = ",".join(map(str, crop))
    if left >= right or top >= bottom:
        raise PictureError(f"its crop is empty: {named} (left, top, right, bottom)")
    if left < 0 or top < 0 or right > picture.width or bottom > picture.height:
        raise PictureError(
            f"its crop leaves the picture of {picture.width}×{picture.height} pixels: "
            f"{named} (left, top, right, bottom)"
        )
    return picture.crop(crop)


def resize(picture: Image.Image, image_size: int) -> np.ndarray:
    """Squash an RGB picture to a square with an antialiasing filter.

    Returns:
        Array of shape (image_size, image_size, 3), uint8.
    """
    square = (image_size, image_size)
    if picture.size != square:
        picture = picture.resize(square, Image.Resampling.BILINEAR)
    return np.asarray(picture, dtype=np.uint8)


def decode_picture(
    data: bytes,
    image_size: int,
    max_pixels: int,
    crop: Box | None = None,
    colour: str = "rgb",
) -> np.ndarray:
    """Turn a file's bytes into the pixels that a network sees.

    Args:
        data: The file's bytes.
        image_size: Side of the square, in pixels.
        max_pixels: Largest allowed width × height of the whole picture.
        crop: The part to take; the whole picture if None.
        colour: ``rgb``, ``grey`` or ``lab_l``.

    Returns:
        Array of shape (image_size, image_size, 3), uint8; with one channel if ``colour`` is not
        ``rgb`` but ``grey`` or ``lab_l`` (lightness of CIELAB).

    Raises:
        PictureError: If the picture cannot be used.
        MemoryError: If there is too little memory.
    """
    picture = cut_out(to_rgb(open_picture(data, max_pixels)), crop)
    return COLOURS[colour](resize(picture, image_size))


def _turn_upright(picture: Image.Image) -> Image.Image:
    """As ``ImageOps.exif_transpose``, which writes the EXIF data anew too and may fail at that."""
    method = _TURNS.get(picture.getexif().get(ExifTags.Base.Orientation))
    return picture if method is None else picture.transpose(method)


def _in_one_line(error: BaseException) -> str:
    text = "".join(sign if sign.isprintable() else " " for sign in str(error))
    return " ".join(text.split())[:120] or type(error).__name__
