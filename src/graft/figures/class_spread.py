"""How trivial properties are spread in every class."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from graft.figures.style import BLUE, clean_axes, escape_math, make_figure, shorten

_MOST_CLASSES_WITH_NAMES = 50
_PANELS = {
    "bytes": "file size (kB, log scale)",
    "brightness": "mean brightness (0 to 255)",
    "contrast": "contrast (standard deviation, 0 to 127)",
}
_QUANTILES = [0.05, 0.25, 0.5, 0.75, 0.95]


def draw_class_spread(properties: pd.DataFrame, labels: pd.Series) -> Figure:
    """Draw the spread of file size, brightness, contrast and colour, a row a class.

    A row has the median (dot), the middle half (thick) and the middle nine tenths (thin line)
    of its class. With many classes each panel orders them by their median.

    Args:
        properties: Columns ``bytes``, ``brightness``, ``contrast`` and mean ``red``, ``green``,
            ``blue`` (0 to 255), float.
        labels: Class of every row.
    """
    order = list(labels.value_counts(sort=False).sort_index().index)
    named = len(order) <= _MOST_CLASSES_WITH_NAMES
    figure, panels = make_figure(11, 1.6 + 0.26 * len(order) if named else 5.5, columns=4)
    figure.suptitle("Spread in every class: median, middle half, middle nine tenths")
    grouped = properties.assign(label=labels.to_numpy()).groupby("label")
    for axes, (name, title) in zip(panels[:3], _PANELS.items(), strict=True):
        values = {share: grouped[name].quantile(share) for share in _QUANTILES}
        spread = pd.DataFrame(values).reindex(order)
        _draw_spread(axes, spread if named else spread.sort_values(0.5), named)
        axes.set_xlabel(title, fontsize=9)
        axes.set_title(name.replace("bytes", "file size"))
        if name == "bytes":
            _scale_in_kilobytes(axes)
    _draw_colours(panels[3], grouped[["red", "green", "blue"]].mean().reindex(order))
    for axes in panels:
        axes.set_ylim(len(order) - 0.4, -0.6)
        axes.set_yticks([])
        axes.set_ylabel("")
    if named:
        panels[0].set_yticks(range(len(order)), [escape_math(shorten(str(n), 20)) for n in order])
    panels[0].set_ylabel("class" if named else "classes, each panel ordered by its medians")
    return figure


def _draw_spread(axes: Axes, spread: pd.DataFrame, named: bool) -> None:
    rows = np.arange(len(spread))
    low, lower, middle, upper, high = (spread[quantile] for quantile in _QUANTILES)
    axes.hlines(rows, low, high, color=BLUE, linewidth=1, alpha=1 if named else 0.25)
    axes.hlines(rows, lower, upper, color=BLUE, linewidth=5 if named else 1, alpha=0.6)
    axes.plot(middle, rows, linestyle="", marker="o", markersize=5 if named else 1.5, color="black")
    clean_axes(axes)
    axes.grid(visible=False, axis="y")
    axes.grid(axis="x", color="#e5e7eb")


def _scale_in_kilobytes(axes: Axes) -> None:
    axes.set_xscale("log")
    ticks = FuncFormatter(lambda value, _: f"{value / 1000:,g}")
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5), numticks=8))
    axes.xaxis.set_major_formatter(ticks)
    axes.xaxis.set_minor_formatter(NullFormatter())


def _draw_colours(axes: Axes, colours: pd.DataFrame) -> None:
    """A band in the mean colour of every class."""
    bands = np.nan_to_num(colours.to_numpy(), nan=255.0).clip(0, 255).astype(np.uint8)
    axes.imshow(bands[:, None, :], aspect="auto", extent=(0, 1, len(bands) - 0.5, -0.5))
    axes.set_xticks([])
    axes.set_xlabel("mean red, green and blue", fontsize=9)
    axes.set_title("colour")
    axes.spines[:].set_visible(False)
