"""Reliability diagram and abstention curve."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from graft.reporting.style import BLUE, GREY, ORANGE, clean_axes, make_figure


def draw_reliability(calibration: Mapping[str, Any]) -> Figure:
    """Draw accuracy against confidence on test, as it is and with the temperature of dev.

    Args:
        calibration: ``temperature`` and ``test``: ``before`` and ``after``, as of
            :func:`graft.analysis.calibration.summarise_calibration`.
    """
    figure, panels = make_figure(10, 4.4, columns=2)
    figure.suptitle("How often is it right when it is so sure? (test)")
    temperature = calibration["temperature"]
    scaled = "no temperature" if temperature == 1 else f"with temperature {temperature:.2f}"
    titles = ("as it is", scaled)
    for axes, title, name, colour in zip(
        panels, titles, ("before", "after"), (BLUE, ORANGE), strict=True
    ):
        found = calibration["test"][name]
        _draw_points(axes, found["bins"], colour)
        axes.set_title(f"{title}: calibration error {found['ece']:.3f}")
        axes.set_xlabel("confidence (mean of a bin, share)")
        axes.set_ylabel(f"accuracy (share), {100 * calibration['confidence']:g} % interval")
    return figure


def draw_abstention(calibration: Mapping[str, Any]) -> Figure:
    """Draw the accuracy on the answered pictures against their share, on dev and test.

    Args:
        calibration: ``abstention``, ``threshold`` and ``confidence`` of the catalog's entry.
    """
    figure, (axes,) = make_figure(7, 4.4)
    for split, colour in (("dev", BLUE), ("test", ORANGE)):
        rows = [row[split] for row in calibration["abstention"] if row[split]["accuracy"]]
        shares = [row["coverage"] for row in rows]
        accuracies = {
            name: [row["accuracy"][name] for row in rows] for name in ("value", "low", "high")
        }
        axes.plot(shares, accuracies["value"], color=colour, marker=".", label=split)
        axes.fill_between(
            shares, accuracies["low"], accuracies["high"], color=colour, alpha=0.15, linewidth=0
        )
    threshold = calibration["threshold"]
    if threshold and threshold["kind"] == "abstain":
        axes.axvline(
            threshold["dev"]["coverage"],
            color=GREY,
            linestyle=":",
            label=f"chosen: from {threshold['value']:.3f} on",
        )
    axes.set_title("If it may stay silent when it is unsure")
    axes.set_xlabel("pictures answered (share, the surest first)")
    level = f"{100 * calibration['confidence']:g} %"
    axes.set_ylabel(f"accuracy on them (share), {level} interval")
    axes.set_xlim(1.02, 0)
    axes.legend(frameon=False, loc="lower right")
    clean_axes(axes)
    return figure


def _draw_points(axes: Axes, bins: list[dict[str, float]], colour: str) -> None:
    counts = np.array([row["n"] for row in bins])
    confidences = np.array([row["confidence"] for row in bins])
    accuracies = np.array([row["accuracy"] for row in bins])
    # Rounding can put an end of an interval on the wrong side of its value.
    below = np.maximum(accuracies - [row["low"] for row in bins], 0)
    above = np.maximum([row["high"] for row in bins] - accuracies, 0)
    axes.plot([0, 1], [0, 1], color=GREY, linestyle=":", label="perfectly calibrated")
    axes.errorbar(
        confidences, accuracies, yerr=[below, above], color=colour, linestyle="", capsize=3
    )
    sizes = 15 + 150 * counts / counts.max()
    axes.scatter(
        confidences, accuracies, s=sizes, color=colour, label="number and area: pictures", zorder=3
    )
    for row in bins:
        axes.text(row["confidence"], 1.06, f"{row['n']:,}", ha="center", fontsize=7)
    axes.set_xlim(min(0.5, float(confidences.min()) - 0.03), 1.03)
    axes.set_ylim(0, 1.12)
    axes.legend(frameon=False, loc="lower right", fontsize=8)
    clean_axes(axes)
