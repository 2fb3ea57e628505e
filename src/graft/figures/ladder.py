"""The ladder of errors from train to test."""

from __future__ import annotations

from collections.abc import Mapping

from matplotlib.figure import Figure

from graft.figures.style import BLUE, GREY, ORANGE, clean_axes, make_figure


def draw_steps(
    errors: Mapping[str, Mapping[str, float]],
    baselines: Mapping[str, float],
    human_error: float | None,
    confidence: float,
) -> Figure:
    """Draw the error on each split with its interval, and what it is to be compared with.

    Args:
        errors: Split to ``n``, ``value``, ``low``, ``high``, in the order of the ladder.
        baselines: Name to error of classifiers that have learnt nothing.
        human_error: Error of people; None if unknown.
        confidence: Coverage of the intervals.
    """
    figure, (axes,) = make_figure(6.4, 3.6)
    values = [100 * part["value"] for part in errors.values()]
    below = [100 * (part["value"] - part["low"]) for part in errors.values()]
    above = [100 * (part["high"] - part["value"]) for part in errors.values()]
    names = [f"{split.replace('_', '-')}\n{part['n']:,}" for split, part in errors.items()]
    axes.plot(names, values, color=BLUE, alpha=0.35, drawstyle="steps-mid")
    axes.errorbar(names, values, (below, above), color=BLUE, fmt="o", capsize=5)
    for style, (name, error) in zip(("--", ":"), baselines.items(), strict=True):
        axes.axhline(100 * error, color=GREY, linestyle=style, label=f"{name}: {100 * error:.1f} %")
    if human_error is not None:
        axes.axhline(100 * human_error, color=ORANGE, label=f"people: {100 * human_error:.1f} %")
    axes.set_ylim(bottom=0)
    axes.set_title("Errors from train to test")
    axes.set_xlabel("split, pictures measured")
    axes.set_ylabel(f"wrong (%), {100 * confidence:g} % interval")
    axes.legend(frameon=False, fontsize=8)
    clean_axes(axes)
    return figure
