"""Scores of a cross-validation."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from graft.figures.style import BLUE, ORANGE, clean_axes

_COLUMNS = 3


def draw_folds(
    scores: pd.DataFrame, names: list[str], units: Mapping[str, str] | None = None
) -> Figure:
    """Draw a panel a score: a point a fold and the mean of each model.

    Args:
        scores: Columns ``model`` and each of ``names``, a row a fold.
        names: The scores.
        units: Of a score, by its name; the name stands for what is missing.
    """
    columns = min(_COLUMNS, len(names))
    rows = -(-len(names) // columns)
    figure = Figure(figsize=(10, 0.6 + 3.2 * rows), layout="constrained", dpi=120)
    figure.suptitle("Scores of the folds: a point a fold, a bar the mean")
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    models = list(dict.fromkeys(scores["model"]))
    for axes in panels[len(names) :]:
        axes.axis("off")
    for axes, name in zip(panels, names, strict=False):
        for place, model in enumerate(models):
            values = scores.loc[scores["model"] == model, name].to_numpy()
            axes.plot(np.full(len(values), place), values, "o", color=BLUE, alpha=0.5)
            axes.plot(place, values.mean(), "_", color=ORANGE, markersize=28, markeredgewidth=3)
        axes.set_xticks(range(len(models)), models)
        axes.set_xlim(-0.5, len(models) - 0.5)
        axes.set_xlabel("model")
        axes.set_ylabel((units or {}).get(name, name))
        axes.set_title(name)
        clean_axes(axes)
    return figure
