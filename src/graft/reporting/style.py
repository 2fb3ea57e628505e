"""The look that all figures share."""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.figure import Figure

BLUE, ORANGE, GREY = "#2f6f9f", "#d9822b", "#6b7280"


def make_figure(width: float, height: float, columns: int = 1) -> tuple[Figure, list[Axes]]:
    """A figure of ``columns`` axes side by side; sizes in inches."""
    figure = Figure(figsize=(width, height), layout="constrained", dpi=120)
    axes = figure.subplots(1, columns, squeeze=False)[0]
    return figure, list(axes)


def draw_note(text: str) -> Figure:
    """A figure that says why there is nothing to draw."""
    figure, (axes,) = make_figure(6, 1)
    axes.axis("off")
    axes.text(0, 0.5, text, va="center")
    return figure


def clean_axes(axes: Axes) -> None:
    """Leave only what carries information: no box, a faint horizontal grid."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", color="#e5e7eb")
    axes.set_axisbelow(True)


def shorten(text: str, length: int = 24) -> str:
    """Cut a long name in its middle, where names differ least."""
    if len(text) <= length:
        return text
    head = (length - 1) // 2
    return f"{text[:head]}…{text[len(text) - (length - 1 - head) :]}"


def escape_math(text: str) -> str:
    """Keep Matplotlib from reading dollar signs in names as formulas."""
    return text.replace("$", r"\$")
