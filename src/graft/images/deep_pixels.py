"""Pictures of more than 8 bits a pixel, such as depth maps and scans."""

from __future__ import annotations

import numpy as np
from PIL import Image


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
