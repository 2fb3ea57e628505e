"""Accuracy against the number of training pictures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from graft.figures.style import BLUE, GREY, ORANGE, clean_axes, draw_note, make_figure

_MOST_TICKS = 9


def draw_learning_sizes(learning_sizes: Mapping[str, Any]) -> Figure:
    """Draw the measured accuracies with intervals, and how the fitted law goes on.

    Args:
        learning_sizes: As of :func:`graft.scores.learning_sizes.forecast_errors`, and
            ``confidence``.
    """
    if learning_sizes["withheld"]:
        return draw_note("No curve can be drawn of a classifier like the champion.")
    figure, (axes,) = make_figure(7, 4.4)
    points = learning_sizes["points"]
    values = {name: np.array([row[name] for row in points]) for name in points[0]}
    accuracies = 1 - values["error"]
    reach = [
        np.maximum(values["high"] - values["error"], 0),
        np.maximum(values["error"] - values["low"], 0),
    ]
    axes.errorbar(
        values["pictures"],
        accuracies,
        yerr=reach,
        color=BLUE,
        marker="o",
        linestyle="",
        capsize=4,
        label="measured by refits",
    )
    if learning_sizes["curve"]:
        _draw_law(axes, learning_sizes)
    _scale(axes, values["pictures"], [row["pictures"] for row in learning_sizes["forecasts"]])
    level = f"{100 * learning_sizes['confidence']:g} %"
    axes.set_title("How many more pictures? A simple classifier on the features")
    axes.set_xlabel("training pictures (log scale)")
    axes.set_ylabel(f"accuracy on dev (share), {level} interval")
    axes.legend(frameon=False, loc="lower right")
    clean_axes(axes)
    return figure


def _draw_law(axes: Axes, learning_sizes: Mapping[str, Any]) -> None:
    curve = learning_sizes["curve"]
    pictures = [row["pictures"] for row in curve]
    lows, highs = ([1 - row[name] for row in curve] for name in ("low", "high"))
    axes.plot(pictures, [1 - row["error"] for row in curve], color=ORANGE, label="power law")
    axes.fill_between(pictures, lows, highs, color=ORANGE, alpha=0.15, linewidth=0)
    axes.axvline(
        learning_sizes["whole"], color=GREY, linestyle=":", label="training pictures there are"
    )


def _scale(axes: Axes, measured: np.ndarray, foretold: list[float]) -> None:
    """A log scale whose ticks are the very numbers of pictures."""
    axes.set_xscale("log")
    ticks = [*measured.tolist(), *foretold][-_MOST_TICKS:]
    axes.xaxis.set_major_locator(FixedLocator(ticks))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    axes.tick_params(axis="x", labelsize=8, rotation=30)
