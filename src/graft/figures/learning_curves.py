"""Learning curves."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from graft.figures.style import BLUE, GREY, ORANGE, clean_axes, make_figure


def draw_history(history: pd.DataFrame, title: str) -> Figure:
    """Draw loss and accuracy on train and dev by epoch, with the epoch that was kept.

    Args:
        history: Columns ``epoch``, ``loss``, ``accuracy``, ``dev_loss``, ``dev_accuracy``.
        title: Says what was trained.
    """
    figure, panels = make_figure(10, 3.8, columns=2)
    figure.suptitle(title)
    best = history.loc[history["dev_loss"].idxmin(), "epoch"]
    for axes, name, unit in zip(panels, ["loss", "accuracy"], ["nats", "share"], strict=True):
        axes.plot(history["epoch"], history[name], color=BLUE, label="train")
        axes.plot(history["epoch"], history[f"dev_{name}"], color=ORANGE, label="dev")
        axes.axvline(best, color=GREY, linestyle=":", label=f"kept: epoch {best}")
        axes.set_title(name)
        axes.set_xlabel("epoch")
        axes.set_ylabel(f"{name} ({unit})")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.legend(frameon=False)
        clean_axes(axes)
    return figure
