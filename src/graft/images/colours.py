"""Pictures of one channel: how they are made, and how they are shown to what expects three."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial

import numpy as np
from PIL import Image

from graft.compute.streams import copy_rows, lend_rows

# Share of red, green and blue in the luminance of sRGB (IEC 61966-2-1, white point D65).
_LUMINANCE = np.array([0.2126729, 0.7151522, 0.0721750])


def measure_lightness(pixels: np.ndarray) -> np.ndarray:
    """Lightness L* of CIELAB (ISO/CIE 11664-4), 0 to 100 stretched to 0 to 255.

    Args:
        pixels: sRGB (H, W, 3), uint8.

    Returns:
        Array (H, W, 1), uint8.
    """
    luminance = (_list_linear_values()[pixels] @ _LUMINANCE)[..., np.newaxis]
    is_bright = luminance > (6 / 29) ** 3
    root = np.where(is_bright, np.cbrt(luminance), luminance * (29 / 6) ** 2 / 3 + 4 / 29)
    return ((116 * root - 16) * 2.55).round().clip(0, 255).astype(np.uint8)


def measure_grey(pixels: np.ndarray) -> np.ndarray:
    """Grey of ITU-R BT.601, as Pillow's mode L: (H, W, 3) uint8 to (H, W, 1) uint8."""
    return np.asarray(Image.fromarray(pixels).convert("L"))[..., np.newaxis]


# What `decoding.colour` may be.
COLOURS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "rgb": lambda pixels: pixels,
    "grey": measure_grey,
    "lab_l": measure_lightness,
}


def count_channels(colour: str) -> int:
    """Channels of a picture in this colour: 3 or 1."""
    return 3 if colour == "rgb" else 1


def show_in_rgb(pixels: np.ndarray) -> np.ndarray:
    """Pictures (…, H, W, 1 or 3) as (…, H, W, 3): one channel stands for all three."""
    return pixels if pixels.shape[-1] == 3 else np.repeat(pixels, 3, axis=-1)


def copy_pictures(images: np.ndarray, rows: slice | np.ndarray) -> np.ndarray:
    """Copy pictures of the memory-mapped ``images``, always with three channels."""
    return show_in_rgb(copy_rows(images, rows))


def lend_pictures(images: np.ndarray, rows: slice | np.ndarray) -> np.ndarray:
    """As :func:`copy_pictures`, to be read once: neighbours of three channels are not copied."""
    return show_in_rgb(lend_rows(images, rows))


@cache
def _list_linear_values() -> np.ndarray:
    """What 0 to 255 mean in linear light, 0 to 1."""
    values = np.arange(256) / 255
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def make_reader(images: np.ndarray, channels: int) -> Callable[[np.ndarray], np.ndarray]:
    """Function from row numbers to pictures as a network of so many channels takes them.

    Args:
        images: Array (N, H, W, channels), uint8.
        channels: Of the network: as many as the pictures have, or three.
    """
    return partial(copy_rows if channels == images.shape[-1] else copy_pictures, images)
