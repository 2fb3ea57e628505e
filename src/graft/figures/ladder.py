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
    top = 1.25 * max(100 * max(part["high"] for part in errors.values()), 1)
    hidden = []
    for style, (name, error) in zip(("--", ":"), baselines.items(), strict=True):
        told = f"{name}: {100 * error:.1f} %"
        if 100 * error < top:
            axes.axhline(100 * error, color=GREY, linestyle=style, label=told)
        else:
            hidden.append(told)
    if human_error is not None:
        told = f"people: {100 * human_error:.1f} %"
        axes.axhline(100 * human_error, color=ORANGE, label=told)
        top = max(top, 125 * human_error)
    if hidden:
        # Drawn to scale they would press the steps to the ground.
        axes.annotate(
            f"far above: {', '.join(hidden)}", (0.99, 0.97), xycoords="axes fraction",
            ha="right", va="top", fontsize=8, color=GREY,
        )  # fmt: skip
    axes.set_ylim(0, top)
    axes.margins(x=0.12)
    axes.set_title("Errors from train to test")
    axes.set_xlabel("split, pictures measured")
    axes.set_ylabel(f"wrong (%), {100 * confidence:g} % interval")
    if axes.get_legend_handles_labels()[0]:
        axes.legend(frameon=False, fontsize=8, loc="upper left")
    clean_axes(axes)
    return figure
