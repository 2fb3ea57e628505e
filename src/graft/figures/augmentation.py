"""Contact sheets of augmented pictures."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from graft.figures.style import escape_math, shorten


def draw_views(views: np.ndarray, names: list[str]) -> Figure:
    """Draw pictures, a row each, beside what augmentation makes of them.

    Args:
        views: (rows, columns, H, W, 3), uint8; the first column holds the pictures themselves.
        names: Name of every row's picture.
    """
    rows, columns = views.shape[:2]
    figure = Figure(figsize=(1.6 * columns + 0.4, 1.75 * rows + 0.5), layout="constrained", dpi=100)
    panels = figure.subplots(rows, columns, squeeze=False)
    figure.suptitle(
        "Pictures of train and their augmented views"
        if columns > 1
        else "Pictures of train; augmentation is off"
    )
    for row, name in enumerate(names):
        for column in range(columns):
            axes = panels[row, column]
            axes.imshow(views[row, column], interpolation="nearest")
            axes.axis("off")
            if column == 0:
                axes.set_title(escape_math(shorten(name, 20)), fontsize=8)
            elif row == 0:
                axes.set_title(f"view {column}", fontsize=8)
    return figure
