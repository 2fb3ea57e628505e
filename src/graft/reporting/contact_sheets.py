"""Contact sheets: many small pictures on one page."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure

from graft.reporting.style import escape_math, use_fonts_of_this_machine, write_name

_COLUMNS = 6
# Characters of a caption that fit below a panel.
_CAPTION_LENGTH = 19
_EMPTY = 236


@dataclass(frozen=True)
class Panel:
    """A place on a contact sheet.

    Attributes:
        caption: Lines below the picture.
        pixels: Array (S, S, 3), uint8; None if the picture cannot be shown.
        reason: Why it cannot be shown.
    """

    caption: tuple[str, ...]
    pixels: np.ndarray | None
    reason: str = ""


def draw_sheet(panels: list[Panel], title: str, columns: int = _COLUMNS) -> Figure:
    """Draw pictures of one size side by side; one that cannot be shown is a grey panel.

    Args:
        panels: What to show, in the order of reading.
        title: Of the sheet.
        columns: Panels a row, at most.
    """
    columns = min(columns, max(len(panels), 3))
    rows = max(1, -(-len(panels) // columns))
    lines = max((len(panel.caption) for panel in panels), default=0)
    # One axes for all: a unit is the side of a panel with its gap, captions hang below it.
    step = 1 + 0.145 * lines
    width, height = 1.35 * columns, 1.35 * rows * step + 0.5
    use_fonts_of_this_machine()
    figure = Figure(figsize=(width, height), dpi=100)
    axes = figure.add_axes((0, 0, 1, (height - 0.45) / height))
    axes.set(xlim=(0, columns), ylim=(rows * step, 0))
    axes.axis("off")
    figure.text(0.08 / width, 1 - 0.28 / height, write_name(title, 70), fontsize=11)
    if not panels:
        figure.text(0.08 / width, 0.5, "No picture to show.", fontsize=10)
    for number, panel in enumerate(panels):
        left, top = number % columns + 0.04, (number // columns) * step
        pixels = _grey() if panel.pixels is None else panel.pixels
        axes.imshow(pixels, extent=(left, left + 0.92, top + 0.92, top), aspect="auto")
        caption = "\n".join(write_name(line, _CAPTION_LENGTH) for line in panel.caption)
        axes.text(left, top + 0.95, caption, fontsize=7, va="top", linespacing=1.15)
        if panel.pixels is None:
            reason = escape_math(_wrap(panel.reason))
            axes.text(left + 0.46, top + 0.46, reason, fontsize=6.5, ha="center", va="center")
    axes.set(xlim=(0, columns), ylim=(rows * step, 0))
    return figure


def _grey() -> np.ndarray:
    return np.full((1, 1, 3), _EMPTY, np.uint8)


def _wrap(text: str, length: int = 20, lines: int = 5) -> str:
    """Break a text into a few short lines."""
    return "\n".join(textwrap.wrap(text, length, max_lines=lines, placeholder="…"))


def draw_views(views: np.ndarray, names: list[str]) -> Figure:
    """Draw pictures, a row each, beside what augmentation makes of them.

    Args:
        views: (rows, columns, H, W, 3), uint8; the first column holds the pictures themselves.
        names: Name of every row's picture.
    """
    rows, columns = views.shape[:2]
    use_fonts_of_this_machine()
    figure = Figure(figsize=(1.6 * columns + 0.4, 1.75 * rows + 0.5), layout="constrained", dpi=100)
    panels = figure.subplots(rows, columns, squeeze=False)
    figure.suptitle(
        "Pictures of train and their augmented views"
        if columns > 1
        else "Pictures of train; augmentation is off"
    )
    for row, name in enumerate(names):
        for column in range(columns):
            axes = panels[row, column]
            axes.imshow(views[row, column], interpolation="nearest")
            axes.axis("off")
            if column == 0:
                axes.set_title(write_name(name, 20), fontsize=8)
            elif row == 0:
                axes.set_title(f"view {column}", fontsize=8)
    return figure
