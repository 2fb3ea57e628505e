"""The learning-rate test as a figure."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure

from graft.figures.style import BLUE, GREY, ORANGE, clean_axes, make_figure


def draw_learning_rate_test(
    table: pd.DataFrame, steepest: float, tenth_of_lowest: float, title: str
) -> Figure:
    """Draw the loss against the learning rate, with the rates that are suggested.

    Args:
        table: Columns ``learning_rate``, ``loss`` and ``smoothed_loss``, a row a step.
        steepest: Rate at which the smoothed loss falls fastest.
        tenth_of_lowest: A tenth of the rate with the lowest smoothed loss.
        title: Says what was tested.
    """
    figure, [axes] = make_figure(7, 4)
    rates = table["learning_rate"]
    axes.plot(rates, table["loss"], ".", color=GREY, alpha=0.5, label="batches")
    axes.plot(rates, table["smoothed_loss"], color=BLUE, label="smoothed")
    axes.axvline(steepest, color=ORANGE, label=f"steepest descent: {steepest:.1e}")
    axes.axvline(
        tenth_of_lowest,
        color=ORANGE,
        linestyle=":",
        label=f"a tenth of the lowest point: {tenth_of_lowest:.1e}",
    )
    smoothed = table["smoothed_loss"]
    # The last steps diverge and would flatten all that matters.
    axes.set_ylim(0, 1.1 * max(smoothed.iloc[0], table["loss"].iloc[: len(table) // 2].max()))
    axes.set_xscale("log")
    axes.set_title(title)
    axes.set_xlabel("learning rate")
    axes.set_ylabel("loss (nats)")
    axes.legend(frameon=False)
    clean_axes(axes)
    return figure
