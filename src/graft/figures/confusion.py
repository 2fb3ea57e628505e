"""Confusion matrices."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from graft.figures.style import escape_math, make_figure, shorten

# Numbers in the cells and names on the axes are readable up to so many classes.
_MOST_CLASSES_WITH_NUMBERS = 25
_MOST_CLASSES_WITH_NAMES = 60


def draw_confusion(counts: pd.DataFrame, log2: bool = False) -> Figure:
    """Draw a confusion matrix.

    Args:
        counts: Pictures by true class (rows) and predicted class (columns).
        log2: Colour by log2(1 + pictures), which makes single mistakes visible beside
            hundreds of hits.
    """
    class_count = len(counts)
    side = float(np.clip(2.5 + 0.42 * class_count, 4.5, 14))
    figure, (axes,) = make_figure(side + 1, side)
    values = np.log2(1 + counts.to_numpy()) if log2 else counts.to_numpy()
    image = axes.imshow(values, cmap="Blues", vmin=0)
    bar = figure.colorbar(image, ax=axes, shrink=0.8)
    bar.set_label("log2(1 + pictures)" if log2 else "pictures")
    axes.set_xlabel("predicted class")
    axes.set_ylabel("true class")
    axes.set_title(f"Confusions on test{' (log2 scale)' if log2 else ''}")
    if class_count <= _MOST_CLASSES_WITH_NAMES:
        names = [escape_math(shorten(str(name))) for name in counts.index]
        upright = class_count <= 12 and max(map(len, names)) <= 3
        axes.set_xticks(range(class_count), names, rotation=0 if upright else 90)
        axes.set_yticks(range(class_count), names)
    if class_count <= _MOST_CLASSES_WITH_NUMBERS:
        _write_numbers(axes, counts.to_numpy(), values)
    return figure


def _write_numbers(axes: Axes, counts: np.ndarray, values: np.ndarray) -> None:
    dark = values > values.max() / 2
    for row, column in zip(*np.nonzero(counts), strict=True):
        axes.text(
            column,
            row,
            f"{counts[row, column]:,}",
            ha="center",
            va="center",
            fontsize=8,
            color="white" if dark[row, column] else "black",
        )
