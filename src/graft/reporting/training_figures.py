"""Curves of training: over epochs, rates, recipes, and over the number of pictures or labels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullFormatter, NullLocator

from graft.analysis.choosing import read_kept
from graft.reporting.style import BLUE, GREY, ORANGE, clean_axes, draw_note, make_figure


def draw_history(history: pd.DataFrame, title: str) -> Figure:
    """Draw loss and accuracy on train and dev by epoch, with the epoch that was kept.

    Args:
        history: Columns ``epoch``, ``loss``, ``accuracy``, ``dev_loss``, ``dev_accuracy``.
        title: Says what was trained.
    """
    figure, panels = make_figure(10, 3.8, columns=2)
    figure.suptitle(title)
    best = history["epoch"].iloc[read_kept(history)]
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
    best = read_kept(history)
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


def draw_race(curves: pd.DataFrame, chosen: str) -> Figure:
    """Draw what every recipe reached on dev, against what it had cost until then.

    Args:
        curves: A row an epoch: ``runner``, ``epoch``, ``passes``, ``dev_accuracy``, ``dev_loss``
            and ``is_best``; of the head as it is, epoch 0.
        chosen: The runner that is kept.
    """
    figure, panels = make_figure(10, 4.2, columns=2)
    figure.suptitle(f"Why this depth: the race of recipes, on dev ({chosen} is kept)")
    pairs = [("dev_accuracy", "accuracy (share)"), ("dev_loss", "log loss (nats)")]
    for axes, (column, unit) in zip(panels, pairs, strict=True):
        for number, (runner, table) in enumerate(curves.groupby("runner", sort=False)):
            colour, is_chosen = f"C{number}", runner == chosen
            if table["epoch"].iloc[0] == 0:
                axes.axhline(table[column].iloc[0], color=colour, linestyle="--", label=runner)
                continue
            width, alpha = (2.0, 1.0) if is_chosen else (1.0, 0.7)
            axes.plot(
                table["passes"], table[column], color=colour, linewidth=width, alpha=alpha,
                marker="." if len(table) < 3 else "", label=runner,
            )  # fmt: skip
            best = table[table["is_best"]]
            axes.plot(best["passes"], best[column], "o", color=colour, fillstyle="none")
        axes.set_xlabel("cost (forward passes over all training pictures)")
        axes.set_ylabel(unit)
        axes.legend(frameon=False)
        clean_axes(axes)
    return figure


_MOST_TICKS = 9


def draw_learning_curve(learning_curve: Mapping[str, Any]) -> Figure:
    """Draw the measured accuracies with intervals, and how the fitted law goes on.

    Args:
        learning_curve: As of :func:`graft.analysis.learning_curve.forecast_errors`, and
            ``confidence``.
    """
    if learning_curve["withheld"]:
        return draw_note("No curve can be drawn of a classifier like the champion.")
    figure, (axes,) = make_figure(7, 4.4)
    points = learning_curve["points"]
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
    if learning_curve["curve"]:
        _draw_law(axes, learning_curve)
    _scale(axes, values["pictures"], [row["pictures"] for row in learning_curve["forecasts"]])
    level = f"{100 * learning_curve['confidence']:g} %"
    axes.set_title("How many more pictures? A simple classifier on the features")
    axes.set_xlabel("training pictures (log scale)")
    axes.set_ylabel(f"accuracy on dev (share), {level} interval")
    axes.legend(frameon=False, loc="lower right")
    clean_axes(axes)
    return figure


def _draw_law(axes: Axes, learning_curve: Mapping[str, Any]) -> None:
    curve = learning_curve["curve"]
    pictures = [row["pictures"] for row in curve]
    lows, highs = ([1 - row[name] for row in curve] for name in ("low", "high"))
    axes.plot(pictures, [1 - row["error"] for row in curve], color=ORANGE, label="power law")
    axes.fill_between(pictures, lows, highs, color=ORANGE, alpha=0.15, linewidth=0)
    axes.axvline(
        learning_curve["whole"], color=GREY, linestyle=":", label="training pictures there are"
    )


def _scale(axes: Axes, measured: np.ndarray, foretold: list[float]) -> None:
    """A log scale whose ticks are the very numbers of pictures."""
    axes.set_xscale("log")
    ticks = [*measured.tolist(), *foretold][-_MOST_TICKS:]
    axes.xaxis.set_major_locator(FixedLocator(ticks))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    axes.tick_params(axis="x", labelsize=8, rotation=30)


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
