"""Nodes of the evaluation stage that show what was measured."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from graft.figures.confusion import draw_confusion
from graft.figures.gallery import draw_gallery, select_wrong
from graft.figures.learning_curves import draw_history
from graft.figures.report import ReportContent, render_report
from graft.parameters import BackboneParameters
from graft.pipelines.evaluation.parameters import EvaluationParameters
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


def draw_wrong_pictures(
    predictions: pd.DataFrame,
    images: np.ndarray,
    splits: pd.DataFrame,
    parameters: EvaluationParameters,
) -> Figure:
    """Draw the wrong pictures of test, the most confident mistakes first."""
    wrong = select_wrong(predictions, images, splits, parameters.gallery_size)
    return draw_gallery(wrong)


def write_report(
    metrics: dict[str, Any],
    class_metrics: pd.DataFrame,
    predictions: pd.DataFrame,
    comparison: dict[str, Any],
    ladder: dict[str, Any],
    classifier_check: dict[str, float],
    confusion_matrix: bytes,
    confusion_matrix_log2: bytes,
    learning_curves: bytes,
    fine_tuning_curves: bytes,
    augmented_pictures: bytes,
    training_curves: bytes,
    ladder_figure: bytes,
    quarantined_images: pd.DataFrame,
    image_index: pd.DataFrame,
    splits: pd.DataFrame,
    split_check: dict[str, Any],
    split_summary: pd.DataFrame,
    flattery: dict[str, Any],
    images: np.ndarray,
    backbone: BackboneParameters,
    parameters: EvaluationParameters,
) -> str:
    """Write the report: one HTML page that needs nothing but itself.

    The details are those of the one model whose ``predictions`` are given.

    Returns:
        ``report``: HTML. The figures come in as PNG bytes.
    """
    wrong = select_wrong(predictions, images, splits, parameters.gallery_size)
    model = predictions["model"].iloc[0]
    content = ReportContent(
        metrics=metrics[model],
        class_metrics=class_metrics.query("split == 'test' and model == @model"),
        splits=splits,
        split_check=split_check,
        split_summary=split_summary,
        flattery=flattery,
        wrong=wrong,
        wrong_count=_count_wrong(predictions),
        quarantined=quarantined_images,
        file_count=len(image_index),
        backbone=f"{backbone.name}, weights {backbone.weights.rpartition('/')[2]}",
        image_size=images.shape[1],
        confidence=parameters.confidence,
        check=classifier_check,
        figures={
            "confusion_matrix": confusion_matrix,
            "confusion_matrix_log2": confusion_matrix_log2,
            "learning_curves": learning_curves,
            "fine_tuning_curves": fine_tuning_curves,
            "augmented_pictures": augmented_pictures,
            "training_curves": training_curves,
            "ladder_figure": ladder_figure,
        },
        model=model,
        models=metrics,
        sections={"comparison": comparison, "ladder": ladder},
    )
    return render_report(content)


def _count_wrong(predictions: pd.DataFrame) -> int:
    test = predictions[predictions["split"] == "test"]
    return int((test["label"] != test["predicted"]).sum())
