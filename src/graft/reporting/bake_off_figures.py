"""What a backbone costs against what its features are good for."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure

from graft.reporting.style import BLUE, GREY, ORANGE, clean_axes, make_figure


def draw_costs(results: pd.DataFrame) -> Figure:
    """Draw accuracy with its interval against multiply-adds a picture, and the Pareto front.

    Args:
        results: A row a backbone: ``backbone``, ``image_size``, ``multiply_adds``, ``accuracy``,
            ``low``, ``high``, ``is_worth_its_cost``; those without figures are left out.
    """
    figure, (axes,) = make_figure(7, 4.4)
    known = results.dropna(subset=["accuracy"]).sort_values("multiply_adds")
    front = known[known["is_worth_its_cost"]]
    millions = known["multiply_adds"] / 1e6
    reach = [known["accuracy"] - known["low"], known["high"] - known["accuracy"]]
    axes.errorbar(
        millions, known["accuracy"], yerr=reach, fmt="o", color=BLUE, ecolor=GREY, capsize=3
    )
    axes.step(
        front["multiply_adds"] / 1e6, front["accuracy"], where="post", color=ORANGE,
        label="worth their cost",
    )  # fmt: skip
    for row in known.to_dict("records"):
        axes.annotate(
            f"{row['backbone']}@{row['image_size']}", (row["multiply_adds"] / 1e6, row["accuracy"]),
            xytext=(5, -11), textcoords="offset points", fontsize=8,
        )  # fmt: skip
    axes.set_xscale("log")
    axes.margins(x=0.2)
    axes.set_xlabel("multiply-adds a picture (millions, log scale)")
    axes.set_ylabel("accuracy by cross-validation on train (share)")
    axes.legend(frameon=False, loc="lower right")
    clean_axes(axes)
    return figure
