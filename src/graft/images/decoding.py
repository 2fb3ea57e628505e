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
from importlib.util import find_spec
from typing import Any

import numpy as np
from PIL import ExifTags, Image, UnidentifiedImageError

from graft.errors import PictureError
from graft.images.colours import COLOURS
from graft.images.crops import Box
from graft.images.deep_pictures import (
    ValueRange,
    is_deep,
    keep_low_bits,
    read_range,
    scale_to_8_bits,
)

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
    if _is_heic(data) and "HEIF" not in list_formats():
        raise PictureError(
            "a HEIC picture, as iPhones take them: install pillow-heif (the extra heif of this "
            "project) to read it"
        )
    with _decoder(f"more than the {max_pixels:,} pixels that max_pixels allows"):
        picture = Image.open(io.BytesIO(data), formats=list_formats())
    if picture.width * picture.height > max_pixels:
        raise PictureError(
            f"{picture.width}×{picture.height} pixels, more than the {max_pixels:,} "
            "that max_pixels allows"
        )
    keep_low_bits(picture, data)
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


# Kinds of files of the ISO base media format that hold pictures coded as HEVC.
_HEIC_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"}


def _is_heic(data: bytes) -> bool:
    return data[4:8] == b"ftyp" and data[8:12] in _HEIC_BRANDS and b"avif" not in data[12:64]


@cache
def list_formats() -> list[str]:
    """All that Pillow decodes itself: PostScript would be run by Ghostscript, as a program.

    And HEIC, where the extra ``heif`` is installed.
    """
    Image.init()
    if find_spec("pillow_heif"):
        from pillow_heif import register_heif_opener

        register_heif_opener()
    return [name for name in Image.OPEN if name != "EPS"]


def find_values(picture: Image.Image) -> ValueRange | None:
    """Lowest and highest value of a picture of more than 8 bits, by its tags, else its pixels.

    Returns:
        Them; None for a picture of 8 bits.

    Raises:
        PictureError: If the picture is truncated or its pixels are damaged.
        MemoryError: If there is too little memory.
    """
    if not is_deep(picture):
        return None
    with _decoder("more pixels inside than its header says, and too many"):
        picture.load()
        return read_range(picture)


def to_rgb(picture: Image.Image, value_range: ValueRange | None = None) -> Image.Image:
    """Decode a picture whole and bring it to upright 8-bit RGB.

    The EXIF orientation is applied. Transparent pictures are laid on white, for the colour
    under a transparent pixel is arbitrary. Values of more than 8 bits are scaled down from
    ``value_range``, see :func:`graft.images.deep_pictures.scale_to_8_bits`; Pillow itself would
    clip greys to white and cut colours off.

    Raises:
        PictureError: If the picture is truncated or its pixels are damaged.
        MemoryError: If there is too little memory.
    """
    with _decoder("more pixels inside than its header says, and too many"):
        picture.load()
        shown = scale_to_8_bits(picture, value_range) if is_deep(picture) else picture
        picture = _turn_upright(shown, picture.getexif())
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
    value_range: ValueRange | None = None,
) -> np.ndarray:
    """Turn a file's bytes into the pixels that a network sees.

    Args:
        data: The file's bytes.
        image_size: Side of the square, in pixels.
        max_pixels: Largest allowed width × height of the whole picture.
        crop: The part to take; the whole picture if None.
        colour: ``rgb``, ``grey`` or ``lab_l``.
        value_range: Of a picture of more than 8 bits: values that become 0 and 255.

    Returns:
        Array of shape (image_size, image_size, 3), uint8; with one channel if ``colour`` is not
        ``rgb`` but ``grey`` or ``lab_l`` (lightness of CIELAB).

    Raises:
        PictureError: If the picture cannot be used.
        MemoryError: If there is too little memory.
    """
    picture = cut_out(to_rgb(open_picture(data, max_pixels), value_range), crop)
    return COLOURS[colour](resize(picture, image_size))


def _turn_upright(picture: Image.Image, exif: Image.Exif) -> Image.Image:
    """As ``ImageOps.exif_transpose``, which writes the EXIF data anew too and may fail at that."""
    method = _TURNS.get(exif.get(ExifTags.Base.Orientation))
    return picture if method is None else picture.transpose(method)


def _in_one_line(error: BaseException) -> str:
    text = "".join(sign if sign.isprintable() else " " for sign in str(error))
    return " ".join(text.split())[:120] or type(error).__name__
