"""The node of the explanation stage that draws; a new look of a figure computes no heat again."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.figure import Figure

from graft.figures.explanation import draw_explained


def draw_explained_pictures(
    explanations: dict[str, Any], heat_maps: np.ndarray, images: np.ndarray
) -> Figure:
    """Draw the first of the explained pictures; the report has all of them."""
    return draw_explained(explanations, heat_maps, images)
