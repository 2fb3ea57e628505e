"""Learning curves of all stages, one after the other."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from graft.figures.style import BLUE, GREY, ORANGE, clean_axes, draw_note, make_figure


def draw_stage_curves(histories: Mapping[str, pd.DataFrame]) -> Figure:
    """Draw loss and accuracy on train and dev of several trainings on one axis of epochs.

    Args:
        histories: Name of the stage to its history: ``loss``, ``accuracy``, ``dev_loss`` and
            ``dev_accuracy``, a row an epoch. Empty ones are left out.
    """
    shown = {name: history for name, history in histories.items() if len(history)}
    if not shown:
        return draw_note("Nothing was trained.")
    figure, panels = make_figure(10, 3.8, columns=2)
    figure.suptitle("Learning curves of all stages")
    for axes, name, unit in zip(panels, ["loss", "accuracy"], ["nats", "share"], strict=True):
        start = 0
        for number, (stage, history) in enumerate(shown.items()):
            _draw_stage(axes, history, name, start, is_first=number == 0)
            _name_stage(axes, stage, start, len(history), is_first=number == 0)
            start += len(history)
        axes.set_title(name, pad=18)
        axes.set_xlabel("epoch, counted through all stages")
        axes.set_ylabel(f"{name} ({unit})")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.legend(frameon=False)
        clean_axes(axes)
    return figure


def _draw_stage(
    axes: Axes, history: pd.DataFrame, name: str, start: int, *, is_first: bool
) -> None:
    epochs = start + np.arange(1, len(history) + 1)
    # A lone epoch is no line.
    marker = "." if len(history) < 3 else ""
    best = int(history["dev_loss"].to_numpy().argmin())
    for column, colour, split in ((name, BLUE, "train"), (f"dev_{name}", ORANGE, "dev")):
        label = split if is_first else None
        axes.plot(epochs, history[column], color=colour, marker=marker, label=label)
    kept = history[f"dev_{name}"].iloc[best]
    label = "kept" if is_first else None
    axes.plot(epochs[best], kept, "o", color=ORANGE, fillstyle="none", markersize=9, label=label)


def _name_stage(axes: Axes, stage: str, start: int, length: int, *, is_first: bool) -> None:
    """Name a stage above the axes, and draw where it begins."""
    if not is_first:
        axes.axvline(start + 0.5, color=GREY, linewidth=0.8)
    axes.text(
        start + (1 + length) / 2,
        1.02,
        stage,
        transform=axes.get_xaxis_transform(),
        ha="center",
        fontsize=8,
        color=GREY,
    )
