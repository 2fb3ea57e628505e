"""Figures of a search: trial by trial, a parameter at a time, all parameters together."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from graft.reporting.style import BLUE, GREY, ORANGE, clean_axes, draw_note, make_figure, shorten

_COLUMNS = 3


def draw_history(trials: pd.DataFrame, verdict: Mapping[str, Any]) -> Figure:
    """Draw the score of every trial in turn, the best so far, and what the winner must reach.

    Args:
        trials: Columns ``trial`` and ``accuracy``, missing if it was given up.
        verdict: ``default``, its accuracy.
    """
    figure, (axes,) = make_figure(7, 3.8)
    ended = trials.dropna(subset=["accuracy"])
    best = ended["accuracy"].cummax()
    axes.scatter(ended["trial"], ended["accuracy"], s=14, color=BLUE, label="trials")
    axes.step(ended["trial"], best, where="post", color=ORANGE, label="best so far")
    axes.axhline(verdict["default"], color=GREY, linestyle=":", label="the default")
    given_up = trials[trials["accuracy"].isna()]
    if len(given_up):
        floor = np.full(len(given_up), ended["accuracy"].min())
        axes.scatter(given_up["trial"], floor, s=14, marker="x", color=GREY, label="given up")
    axes.set_xlabel("trial")
    axes.set_ylabel("accuracy by cross-validation (share)")
    axes.legend(frameon=False, loc="lower right")
    clean_axes(axes)
    return figure


def draw_slices(trials: pd.DataFrame, axes_of: Mapping[str, bool]) -> Figure:
    """Draw the score against each parameter.

    Args:
        trials: A row a trial, a column a parameter.
        axes_of: Column of every parameter, and whether its axis is logarithmic.
    """
    rows = math.ceil(len(axes_of) / _COLUMNS)
    figure = Figure(figsize=(8, 2.7 * rows), layout="constrained", dpi=120)
    places = figure.subplots(rows, _COLUMNS, squeeze=False, sharey=True).ravel()
    ended = trials.dropna(subset=["accuracy"])
    for axes, (column, is_log) in zip(places, axes_of.items(), strict=False):
        colours = ended["trial"]
        axes.scatter(ended[column], ended["accuracy"], s=12, c=colours, cmap="viridis")
        axes.set_xlabel(shorten(column.partition(".")[2], 28))
        # A default may be 0, which no logarithm has.
        if is_log and (ended[column] > 0).all():
            axes.set_xscale("log")
            axes.xaxis.set_minor_formatter(NullFormatter())
        clean_axes(axes)
    for axes in places[::_COLUMNS]:
        axes.set_ylabel("accuracy (share)")
    for axes in places[len(axes_of) :]:
        axes.axis("off")
    return figure


def draw_coordinates(trials: pd.DataFrame, axes_of: Mapping[str, bool]) -> Figure:
    """Draw every trial as a line over all parameters, coloured by its score.

    Args:
        trials: A row a trial, a column a parameter.
        axes_of: Column of every parameter, and whether its axis is logarithmic.
    """
    ended = trials.dropna(subset=["accuracy"]).sort_values("accuracy")
    if len(ended) < 2:
        return draw_note("One trial has run to its end: there is nothing to compare.")
    figure, (axes,) = make_figure(8, 4)
    scores = ended["accuracy"].to_numpy()
    norm = Normalize(
        scores.min(), scores.max() if scores.max() > scores.min() else scores.min() + 1e-9
    )
    colours = mpl.colormaps["viridis"](norm(scores))
    heights = np.stack([_spread(axes, n, ended[column], is_log)
                        for n, (column, is_log) in enumerate(axes_of.items())], axis=1)  # fmt: skip
    for height, colour in zip(heights, colours, strict=True):
        axes.plot(range(len(axes_of)), height, color=colour, linewidth=1, alpha=0.8)
    names = [shorten(column.partition(".")[2].rpartition(".")[2], 18) for column in axes_of]
    axes.set_xticks(range(len(axes_of)), names)
    axes.set_yticks([])
    axes.set_ylim(-0.12, 1.12)
    axes.spines[:].set_visible(False)
    for place in range(len(axes_of)):
        axes.axvline(place, color=GREY, linewidth=0.8)
    figure.colorbar(ScalarMappable(norm, "viridis"), ax=axes, label="accuracy (share)")
    return figure


def _spread(axes: Axes, place: int, values: pd.Series, is_log: bool) -> np.ndarray:
    """Values between 0 and 1 on one axis, whose ends are written beside it."""
    numbers = values.to_numpy(np.float64)
    ends = numbers.min(), numbers.max()
    if is_log and ends[0] > 0:
        numbers = np.log(numbers)
    span = numbers.max() - numbers.min()
    for height, end, side in ((0.0, ends[0], "top"), (1.0, ends[1], "bottom")):
        axes.text(place, height + (-0.03 if side == "top" else 0.03), f"{end:.3g}",
                  ha="center", va=side, fontsize=8)  # fmt: skip
    return np.full(len(numbers), 0.5) if span == 0 else (numbers - numbers.min()) / span
