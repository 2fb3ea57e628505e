"""Pictures with the heat of Grad-CAM over them, and small ones to embed."""

from __future__ import annotations

import base64
import io

import matplotlib
import numpy as np
from PIL import Image

# A heat of 6×6 places over a picture of 8×8 pixels needs room to be seen.
_SMALLEST_OVERLAY = 96
_BOXES = Image.Resampling.NEAREST


def show_in_colour(pixels: np.ndarray) -> np.ndarray:
    """A picture (H, W, 1 or 3), uint8, as (H, W, 3): one channel stands for all three."""
    return np.array(np.broadcast_to(pixels, (*pixels.shape[:2], 3)))


def overlay_heat(pixels: np.ndarray, heat: np.ndarray) -> np.ndarray:
    """Lay heat over the grey of a picture, from dark violet (none) to yellow (most).

    Args:
        pixels: (H, W, 1 or 3), uint8.
        heat: (h, w), uint8, spread over the whole picture.

    Returns:
        (H', W', 3), uint8; pictures of a few pixels come out larger.
    """
    picture = Image.fromarray(show_in_colour(pixels))
    larger = -(-_SMALLEST_OVERLAY // max(picture.size))
    size = (picture.width * larger, picture.height * larger)
    grey = np.asarray(picture.resize(size, _BOXES).convert("L"), np.float64)[..., np.newaxis]
    spread = Image.fromarray(heat).resize(size, Image.Resampling.BILINEAR)
    colours = matplotlib.colormaps["plasma"](np.asarray(spread))[..., :3] * 255
    return np.rint(0.45 * grey + 0.55 * colours).astype(np.uint8)


def embed_small(pixels: np.ndarray, side: int) -> str:
    """A picture as an address that needs no other file, a few kilobytes at most.

    Args:
        pixels: (H, W, 1 or 3), uint8.
        side: Longest side, in pixels; larger pictures are made smaller.
    """
    picture = Image.fromarray(show_in_colour(pixels))
    picture.thumbnail((side, side))
    buffer = io.BytesIO()
    # A JPEG of a few pixels is all header and blur.
    kind = "jpeg" if max(picture.size) >= 48 else "png"
    picture.save(buffer, kind, **({"quality": 82} if kind == "jpeg" else {}))
    return f"data:image/{kind};base64,{base64.b64encode(buffer.getvalue()).decode()}"
