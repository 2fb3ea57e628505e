"""Training curves: loss and accuracy by epoch, and the learning-rate test."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from graft.reporting.style import BLUE, GREY, ORANGE, clean_axes, draw_note, make_figure


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
    figure.suptitle("Training curves of all candidates")
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
