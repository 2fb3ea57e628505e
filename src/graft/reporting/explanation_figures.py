"""The pictures of the section on mistakes, with the heat of Grad-CAM over them."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image

from graft.reporting.style import draw_note, escape_math, shorten

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


_SIDE, _SMALL_SIDE = 160, 80
_ROWS = 6


def embed_pictures(
    explanations: Mapping[str, Any], heat_maps: np.ndarray, images: np.ndarray
) -> dict[str, Any]:
    """The section ``explanation`` of the report, with its pictures as addresses.

    No picture file is read: what is shown is what the classifier saw.

    Args:
        explanations: As made by the explanation stage.
        heat_maps: (n, h, w), uint8, in the order of ``explanations["pictures"]``.
        images: All pictures (N, H, W, 1 or 3), uint8.

    Returns:
        The same, and for every picture ``source`` and ``heat`` (None without heat maps), for
        every neighbour ``source``.
    """
    pictures = [
        {
            **picture,
            "source": embed_small(images[picture["row"]], _SIDE),
            "heat": embed_small(overlay_heat(images[picture["row"]], heat), _SIDE)
            if heat.size
            else None,
            "nearest": [
                {**near, "source": embed_small(images[near["row"]], _SMALL_SIDE)}
                for near in picture["nearest"]
            ],
        }
        for picture, heat in zip(explanations["pictures"], heat_maps, strict=True)
    ]
    return {**explanations, "pictures": pictures}


def draw_explained(
    explanations: Mapping[str, Any], heat_maps: np.ndarray, images: np.ndarray
) -> Figure:
    """Draw the first mistakes and close hits, a row each: picture, heat, nearest of train.

    Args:
        explanations: As of :func:`embed_pictures`.
        heat_maps: As there.
        images: As there.
    """
    mistakes, hits = explanations["mistakes"], explanations["hits"]
    shown = [*mistakes[: max(_ROWS // 2, _ROWS - len(hits))], *hits][:_ROWS]
    if not shown:
        return draw_note("There is no picture of test to show.")
    nearest = max(len(explanations["pictures"][number]["nearest"]) for number in shown)
    figure = Figure(
        figsize=(1.7 * (2 + nearest), 1.95 * len(shown) + 0.5), layout="constrained", dpi=72
    )
    figure.suptitle("Test pictures, what spoke for the class given, nearest of train", fontsize=11)
    panels = figure.subplots(len(shown), 2 + nearest, squeeze=False)
    for axes in panels.ravel():
        axes.axis("off")
    for row, number in zip(panels, shown, strict=True):
        picture, heat = explanations["pictures"][number], heat_maps[number]
        pixels = images[picture["row"]]
        taken = "" if picture["label"] == picture["predicted"] else "taken for "
        said = f"{taken}{_name(picture['predicted'])} ({picture['probability']:.2f})"
        _show(row[0], pixels, f"{_name(picture['label'])}\n{said}")
        if heat.size:
            _show(row[1], overlay_heat(pixels, heat), "")
        for axes, near in zip(row[2:], picture["nearest"], strict=False):
            _show(axes, images[near["row"]], f"{_name(near['label'])}\n{near['similarity']:.2f}")
    return figure


def _show(axes: Axes, pixels: np.ndarray, title: str) -> None:
    axes.imshow(show_in_colour(pixels), interpolation="nearest")
    axes.set_title(title, fontsize=7)


def _name(label: str) -> str:
    return escape_math(shorten(label, 18))
