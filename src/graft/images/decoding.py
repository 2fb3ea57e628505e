"""From the bytes of a picture file to pixels: the one way, for training and for serving.

Every consumer of pixels goes through :func:`open_picture` and :func:`decode_picture`, so a
picture looks the same to the network whether it is trained on, tested on or served.
"""

from __future__ import annotations

import io
import warnings
from functools import cache

import numpy as np
from PIL import Image, ImageOps

from graft.images.colours import COLOURS

# Pillow warns between one and two times its pixel limit and raises above that. A warning
# in a log protects nobody: from its first limit on, a decompression bomb is an error.
warnings.filterwarnings("error", category=Image.DecompressionBombWarning)

_BACKGROUND = (255, 255, 255)
# What a decoder may raise on broken input. Pillow's plug-ins leak all of these; anything
# else is a defect of ours and must be seen.
DECODER_ERRORS = (
    OSError,
    SyntaxError,
    ValueError,
    TypeError,
    IndexError,
    KeyError,
    OverflowError,
    EOFError,
    ZeroDivisionError,
    AttributeError,
    MemoryError,
    NotImplementedError,
    RuntimeError,
    Image.DecompressionBombError,
    Image.DecompressionBombWarning,
)


class PictureError(ValueError):
    """A picture that cannot be used; the message says why, for a person."""


def open_picture(data: bytes, max_pixels: int) -> Image.Image:
    """Open a picture without decoding its pixels.

    Args:
        data: The file's bytes.
        max_pixels: Largest allowed width × height, checked on the header alone.

    Returns:
        The lazily opened picture, at its first frame.

    Raises:
        PictureError: If the bytes are empty, no known picture format, or too large.
    """
    if not data:
        raise PictureError("empty file (0 bytes)")
    try:
        picture = Image.open(io.BytesIO(data), formats=_list_formats())
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise PictureError(f"more than the {max_pixels:,} pixels that max_pixels allows") from None
    except DECODER_ERRORS:
        raise PictureError("not a picture, or of a format that Pillow cannot read") from None
    if picture.width * picture.height > max_pixels:
        raise PictureError(
            f"{picture.width}×{picture.height} pixels, more than the {max_pixels:,} "
            "that max_pixels allows"
        )
    return picture


@cache
def _list_formats() -> list[str]:
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
    """
    try:
        picture.load()
        picture = ImageOps.exif_transpose(picture)
        if picture.mode.startswith(("I", "F")):
            return _scale_to_8_bits(picture).convert("RGB")
        if picture.has_transparency_data:
            layer = picture.convert("RGBA")
            canvas = Image.new("RGB", layer.size, _BACKGROUND)
            canvas.paste(layer, mask=layer.getchannel("A"))
            return canvas
        return picture.convert("RGB")
    except DECODER_ERRORS as error:
        raise PictureError(f"damaged or cut short: {_in_one_line(error)}") from None


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
    data: bytes, image_size: int, max_pixels: int, colour: str = "rgb"
) -> np.ndarray:
    """Turn a file's bytes into the pixels that a network sees.

    Returns:
        Array of shape (image_size, image_size, 3), uint8; with one channel if ``colour`` is not
        ``rgb`` but ``grey`` or ``lab_l`` (lightness of CIELAB).

    Raises:
        PictureError: If the picture cannot be used.
    """
    return COLOURS[colour](resize(to_rgb(open_picture(data, max_pixels)), image_size))


def _scale_to_8_bits(picture: Image.Image) -> Image.Image:
    pixels = np.asarray(picture, dtype=np.float64)
    low, high = 0.0, 65535.0
    if picture.mode == "F":
        finite = pixels[np.isfinite(pixels)]
        low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
        pixels = np.nan_to_num(pixels, nan=low, posinf=high, neginf=low)
    scaled = (pixels - low) / ((high - low) or 1.0)
    return Image.fromarray(np.uint8(np.clip(scaled, 0, 1) * 255 + 0.5))


def _in_one_line(error: BaseException) -> str:
    return " ".join(str(error).split())[:120] or type(error).__name__
