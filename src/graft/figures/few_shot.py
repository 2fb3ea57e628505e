"""Accuracy against the number of labels."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from graft.figures.style import BLUE, ORANGE, clean_axes, make_figure


def draw_few_shot(summary: pd.DataFrame) -> Figure:
    """Draw both ways of learning with the spread of their draws.

    Args:
        summary: Columns ``labels_per_class``, ``frozen``, ``frozen_std``, ``from_scratch``,
            ``from_scratch_std``.
    """
    figure, (axes,) = make_figure(7, 4.2)
    for name, title, colour in (
        ("frozen", "frozen features", BLUE),
        ("from_scratch", "from scratch", ORANGE),
    ):
        axes.errorbar(
            summary["labels_per_class"],
            summary[name],
            yerr=summary[f"{name}_std"],
            color=colour,
            marker="o",
            capsize=4,
            label=title,
        )
    axes.set_xscale("log")
    axes.set_xticks(summary["labels_per_class"], [str(n) for n in summary["labels_per_class"]])
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_xlabel("labelled pictures a class (log scale)")
    axes.set_ylabel("accuracy on dev (share)")
    axes.set_title("Learning from few labels: mean and standard deviation over draws")
    axes.legend(frameon=False)
    clean_axes(axes)
    return figure
