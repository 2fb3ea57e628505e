"""Confusion matrices."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from graft.figures.style import escape_math, make_figure, shorten
from graft.scores.tables import condense_confusions

# Numbers in the cells and names on the axes are readable up to so many classes.
_MOST_CLASSES_WITH_NUMBERS = 25
_MOST_CLASSES_WITH_NAMES = 60
# Of more classes these many are shown, those confused most, and the others as one.
_KEPT_CLASSES = 24


def draw_confusion(counts: pd.DataFrame, log2: bool = False) -> Figure:
    """Draw a confusion matrix; of more than 60 classes the 24 that are confused most.

    Args:
        counts: Pictures by true class (rows) and predicted class (columns).
        log2: Colour by log2(1 + pictures), which makes single mistakes visible beside
            hundreds of hits.
    """
    title = "Confusions on test"
    if len(counts) > _MOST_CLASSES_WITH_NAMES:
        title += f", the {_KEPT_CLASSES} most confused of {len(counts):,} classes"
        counts = condense_confusions(counts, _KEPT_CLASSES)
    class_count = len(counts)
    side = float(np.clip(2.5 + 0.42 * class_count, 4.5, 14))
    figure, (axes,) = make_figure(side + 1, side)
    values = np.log2(1 + counts.to_numpy()) if log2 else counts.to_numpy()
    image = axes.imshow(values, cmap="Blues", vmin=0)
    bar = figure.colorbar(image, ax=axes, shrink=0.8)
    bar.set_label("log2(1 + pictures)" if log2 else "pictures")
    axes.set_xlabel("predicted class")
    axes.set_ylabel("true class")
    axes.set_title(title + (" (log2 scale)" if log2 else ""))
    names = [escape_math(shorten(str(name))) for name in counts.index]
    upright = class_count <= 12 and max(map(len, names)) <= 3
    axes.set_xticks(range(class_count), names, rotation=0 if upright else 90)
    axes.set_yticks(range(class_count), names)
    if class_count <= _MOST_CLASSES_WITH_NUMBERS:
        _write_numbers(axes, counts.to_numpy(), values)
    return figure


def _write_numbers(axes: Axes, counts: np.ndarray, values: np.ndarray) -> None:
    dark = values > np.nanmax(values) / 2
    for row, column in zip(*np.nonzero(np.nan_to_num(counts)), strict=True):
        axes.text(
            column,
            row,
            f"{counts[row, column]:,.0f}",
            ha="center",
            va="center",
            fontsize=8,
            color="white" if dark[row, column] else "black",
        )
