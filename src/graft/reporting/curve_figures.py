"""Reliability, abstention, ROC and precision-recall, for two classes as for a thousand."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure

from graft.analysis.thresholds import GRID, ClassCurve, sample_precision, sample_roc
from graft.reporting.style import (
    BLUE,
    GREY,
    ORANGE,
    clean_axes,
    draw_note,
    make_figure,
    write_name,
)


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


# With more classes thin lines become a grey cloud, which takes long and says little.
_MOST_LINES = 60
_COLOURS = (ORANGE, BLUE, "#8a4fa3", "#2f855a")


def draw_roc(curves: Sequence[ClassCurve], class_names: list[str]) -> Figure:
    """Draw the ROC curve of every class against the rest, the worst ones in colour.

    The axis of false positives ends where nearly all is found, so that good classifiers do not
    hide in a corner.

    Args:
        curves: As of :func:`graft.analysis.thresholds.trace_class_curves`.
        class_names: All classes, in the order of the probabilities.
    """
    figure, axes, shown = _draw(curves, class_names, _ROC)
    if axes is not None:
        end = _find_end(shown)
        axes.set_title("ROC curves on test, a class against the rest")
        cut = "" if end == 1 else f"; shown up to {end:g}"
        axes.set_xlabel(f"false positive rate (share of the others{cut})")
        axes.set_ylabel("true positive rate (share of its own)")
        axes.set_xlim(-0.02 * end, 1.02 * end)
        axes.set_ylim(-0.02, 1.02)
    return figure


def draw_precision_recall(curves: Sequence[ClassCurve], class_names: list[str]) -> Figure:
    """Draw the precision-recall curve of every class; see :func:`draw_roc`.

    A curve ends where all of its class is found.
    """
    figure, axes, shown = _draw(curves, class_names, _PRECISION)
    if axes is not None:
        lowest = min(float(precision.min()) for _, precision in map(_step_precision, shown))
        axes.set_title("Precision-recall curves on test, a class against the rest")
        axes.set_xlabel("recall (share of its own that is found)")
        axes.set_ylabel("precision (share of the found that is of it)")
        axes.set_xlim(-0.02, 1.02)
        axes.set_ylim(max(lowest - 0.45 * (1 - lowest) - 0.05, -0.02), 1.02)
    return figure


@dataclass(frozen=True)
class _Kind:
    """What differs between the two figures."""

    score_name: str
    measure: Callable[[ClassCurve], float]
    get_points: Callable[[ClassCurve], tuple[np.ndarray, np.ndarray]]
    sample: Callable[[ClassCurve], np.ndarray]


def _step_precision(curve: ClassCurve) -> tuple[np.ndarray, np.ndarray]:
    """Recall and precision as steps, from the highest threshold to the first that finds all."""
    last = int(np.searchsorted(curve.recall, 1 - 1e-12)) + 1
    # The first point, recall 0 and precision 1, is a convention and not a measurement.
    recall, precision = curve.recall[1:last], curve.precision[1:last]
    return np.append(0.0, np.repeat(recall, 2)[:-1]), np.repeat(precision, 2)


_ROC = _Kind(
    "area",
    lambda curve: curve.area,
    lambda curve: (curve.false_positives, curve.true_positives),
    sample_roc,
)
_PRECISION = _Kind(
    "mean precision", lambda curve: curve.average_precision, _step_precision, sample_precision
)


def _draw(
    curves: Sequence[ClassCurve], class_names: list[str], kind: _Kind
) -> tuple[Figure, Axes | None, list[ClassCurve]]:
    """The figure, its axes if there is anything to draw, and the worst classes."""
    if not curves:
        return draw_note("No curve can be drawn: test has one class alone."), None, []
    figure, (axes,) = make_figure(6.4, 5.4)
    curves = sorted(curves, key=kind.measure)
    worst, others = curves[: len(_COLOURS)], curves[len(_COLOURS) :]
    sampled = np.stack([kind.sample(curve) for curve in curves])
    _draw_others(axes, [kind.get_points(curve) for curve in others], sampled)
    # In reverse, so that the worst is on top.
    for curve, colour in [*zip(worst, _COLOURS, strict=False)][::-1]:
        name = write_name(class_names[curve.index])
        count = f"{curve.count:,} picture{'' if curve.count == 1 else 's'}"
        # The number first: Matplotlib hides labels that begin with an underscore.
        label = f"{kind.measure(curve):.3f}  {name}, {count}"
        axes.plot(*kind.get_points(curve), color=colour, linewidth=1.5, label=label)
    if len(curves) > 2:
        mean = np.mean([kind.measure(curve) for curve in curves])
        axes.plot(GRID, sampled.mean(axis=0), color="black", linewidth=2, label=f"{mean:.3f}  mean")
    named = f"the {len(worst)} worst of {len(curves):,} classes, " if others else ""
    handles, labels = axes.get_legend_handles_labels()
    axes.legend(
        handles[::-1],
        labels[::-1],
        frameon=False,
        loc="lower right" if kind is _ROC else "lower left",
        fontsize=8,
        title=f"{named}{kind.score_name}",
        title_fontsize=8,
        alignment="left",
    )
    clean_axes(axes)
    return figure, axes, worst


def _find_end(curves: list[ClassCurve]) -> float:
    """The first round share of false positives at which every curve has nearly all it will find."""
    ends = [curve.false_positives[np.searchsorted(curve.true_positives, 0.98)] for curve in curves]
    return next(end for end in (0.05, 0.1, 0.2, 0.5, 1.0) if end >= max(ends))


def _draw_others(
    axes: Axes, lines: list[tuple[np.ndarray, np.ndarray]], sampled: np.ndarray
) -> None:
    """All other classes: a thin line each, or bands that hold half and nine tenths of them."""
    if len(lines) <= _MOST_LINES:
        points = [np.column_stack(line) for line in lines]
        axes.add_collection(LineCollection(points, colors=GREY, linewidths=0.6, alpha=0.4))
        return
    for low, high, alpha, name in (
        (0.05, 0.95, 0.2, "nine tenths of the classes"),
        (0.25, 0.75, 0.35, "half of the classes"),
    ):
        bounds = np.quantile(sampled, [low, high], axis=0)
        axes.fill_between(GRID, *bounds, color=GREY, alpha=alpha, linewidth=0, label=name)
