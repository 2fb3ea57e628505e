"""Galleries of wrong pictures."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from graft.figures.style import escape_math, shorten


@dataclass(frozen=True)
class WrongPicture:
    """A picture that was taken for another class.

    Attributes:
        image_id: Its name in the source.
        label: Its true class.
        predicted: The class it was taken for.
        probability: The probability given to ``predicted``.
        label_probability: The probability given to ``label``.
        pixels: Array (H, W, 3), uint8.
    """

    image_id: str
    label: str
    predicted: str
    probability: float
    label_probability: float
    pixels: np.ndarray


def select_wrong(
    predictions: pd.DataFrame, images: np.ndarray, splits: pd.DataFrame, limit: int
) -> list[WrongPicture]:
    """The wrong pictures of test, the most confident mistakes first.

    Args:
        predictions: As made by the evaluation stage.
        images: Array (N, H, W, 3) or (N, H, W, 1), uint8, in the order of ``splits``.
        splits: Column ``image_id``.
        limit: At most so many.
    """
    test = predictions[predictions["split"] == "test"]
    wrong = test[test["label"] != test["predicted"]].copy()
    wrong["probability"] = _look_up(wrong, wrong["predicted"])
    wrong["label_probability"] = _look_up(wrong, wrong["label"])
    wrong = wrong.sort_values(["probability", "image_id"], ascending=[False, True]).head(limit)
    row_of = pd.Series(np.arange(len(splits)), index=splits["image_id"])
    shape = (*images.shape[1:3], 3)  # grey stands for all three channels
    return [
        WrongPicture(
            image_id=row["image_id"],
            label=row["label"],
            predicted=row["predicted"],
            probability=float(row["probability"]),
            label_probability=float(row["label_probability"]),
            pixels=np.array(np.broadcast_to(images[row_of[row["image_id"]]], shape)),
        )
        for _, row in wrong.iterrows()
    ]


def draw_gallery(wrong: list[WrongPicture]) -> Figure:
    """Draw wrong pictures with their names, classes and probabilities."""
    columns = 4
    rows = max(1, -(-len(wrong) // columns))
    figure = Figure(figsize=(10, 2.9 * rows + 0.5), layout="constrained", dpi=100)
    figure.suptitle("Wrong pictures of test, the most confident first" if wrong else "")
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes in panels:
        axes.axis("off")
    for axes, picture in zip(panels, wrong, strict=False):
        axes.imshow(picture.pixels, interpolation="nearest")
        name = escape_math(shorten(picture.image_id, 28))
        true = escape_math(shorten(picture.label, 20))
        taken = escape_math(shorten(picture.predicted, 20))
        axes.set_title(
            f"{name}\n{true}, taken for\n{taken} ({picture.probability:.2f})", fontsize=8
        )
    if not wrong:
        panels[0].text(0, 0.5, "No picture of test was classified wrongly.", fontsize=11)
    return figure


def _look_up(predictions: pd.DataFrame, classes: pd.Series) -> np.ndarray:
    """The probability that every row gives to its class in ``classes``."""
    columns = predictions.columns.get_indexer([f"probability_{name}" for name in classes])
    return predictions.to_numpy()[np.arange(len(predictions)), columns].astype(np.float64)
