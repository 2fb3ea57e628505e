"""Nodes of the evaluation stage that draw what was measured."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure

from graft.figures.confusion import draw_confusion
from graft.figures.learning_curves import draw_history
from graft.scores.tables import count_confusions


def draw_confusion_matrices(
    predictions: pd.DataFrame, class_names: list[str]
) -> tuple[Figure, Figure]:
    """Draw who is taken for whom on test, in numbers and on a log2 scale."""
    test = predictions[predictions["split"] == "test"]
    counts = count_confusions(test["label"], test["predicted"], class_names)
    return draw_confusion(counts), draw_confusion(counts, log2=True)


def draw_learning_curves(head_history: pd.DataFrame) -> Figure:
    """Draw loss and accuracy of the head on train and dev, by epoch."""
    return draw_history(head_history, "Training the head")
