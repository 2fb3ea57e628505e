"""ROC and precision-recall curves of every class, readable for two classes and for a thousand."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure

from graft.figures.style import (
    BLUE,
    GREY,
    ORANGE,
    clean_axes,
    draw_note,
    escape_math,
    make_figure,
    shorten,
)
from graft.scores.class_curves import GRID, ClassCurve, sample_precision, sample_roc

# With more classes thin lines become a grey cloud, which takes long and says little.
_MOST_LINES = 60
_COLOURS = (ORANGE, BLUE, "#8a4fa3", "#2f855a")


def draw_roc(curves: Sequence[ClassCurve], class_names: list[str]) -> Figure:
    """Draw the ROC curve of every class against the rest, the worst ones in colour.

    Args:
        curves: As of :func:`graft.scores.class_curves.trace_class_curves`.
        class_names: All classes, in the order of the probabilities.
    """
    return _draw(
        sorted(curves, key=lambda curve: curve.area),
        class_names,
        "ROC curves on test, a class against the rest",
        ("false positive rate (share of the others)", "true positive rate (share of its own)"),
        ("area", lambda curve: curve.area),
        lambda curve: (curve.false_positives, curve.true_positives),
        sample_roc,
    )


def draw_precision_recall(curves: Sequence[ClassCurve], class_names: list[str]) -> Figure:
    """Draw the precision-recall curve of every class; see :func:`draw_roc`."""
    return _draw(
        sorted(curves, key=lambda curve: curve.average_precision),
        class_names,
        "Precision-recall curves on test, a class against the rest",
        ("recall (share of its own that is found)", "precision (share of the found)"),
        ("mean precision", lambda curve: curve.average_precision),
        _step_precision,
        sample_precision,
    )


def _draw(
    curves: list[ClassCurve],
    class_names: list[str],
    title: str,
    units: tuple[str, str],
    score: tuple[str, Callable[[ClassCurve], float]],
    get_points: Callable[[ClassCurve], tuple[np.ndarray, np.ndarray]],
    sample: Callable[[ClassCurve], np.ndarray],
) -> Figure:
    if not curves:
        return draw_note("No curve can be drawn: test has pictures of one class alone.")
    figure, (axes,) = make_figure(6.4, 5.4)
    measure_name, measure = score
    highlighted = curves[: len(_COLOURS)]
    sampled = np.stack([sample(curve) for curve in curves])
    _draw_others(axes, [get_points(curve) for curve in curves[len(_COLOURS) :]], sampled)
    # Drawn in reverse, the worst on top.
    for curve, colour in [*zip(highlighted, _COLOURS, strict=False)][::-1]:
        name = escape_math(shorten(class_names[curve.index]))
        count = f"{curve.count:,} picture{'' if curve.count == 1 else 's'}"
        axes.plot(
            *get_points(curve),
            color=colour,
            linewidth=1.5,
            label=f"{name}: {measure(curve):.3f}, {count}",
        )
    if len(curves) > 2:
        mean = np.mean([measure(curve) for curve in curves])
        axes.plot(GRID, sampled.mean(axis=0), color="black", linewidth=2, label=f"mean: {mean:.3f}")
    axes.set_title(title)
    axes.set_xlabel(units[0])
    axes.set_ylabel(units[1])
    axes.set_xlim(-0.02, 1.02)
    axes.set_ylim(-0.02, 1.02)
    worst = f"the {len(highlighted)} worst of {len(curves):,} classes, " if len(curves) > 4 else ""
    handles, labels = axes.get_legend_handles_labels()
    axes.legend(
        handles[::-1],
        labels[::-1],
        frameon=False,
        loc="lower center",
        fontsize=8,
        title=f"{worst}{measure_name}",
        title_fontsize=8,
    )
    clean_axes(axes)
    return figure


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


def _step_precision(curve: ClassCurve) -> tuple[np.ndarray, np.ndarray]:
    """Points of the curve, from the highest threshold on; its first precision is by convention."""
    return curve.recall[1:], curve.precision[1:]
