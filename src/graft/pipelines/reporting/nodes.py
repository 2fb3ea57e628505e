"""The node of the reporting stage."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from graft.parameters.base import BackboneParameters
from graft.reporting.explanation_figures import embed_pictures
from graft.reporting.report import ReportContent, render_report


def write_report(
    metrics: dict[str, Any],
    class_metrics: pd.DataFrame,
    comparison: dict[str, Any],
    error_breakdown: dict[str, Any],
    calibration: dict[str, Any],
    curves: dict[str, Any],
    explanations: dict[str, Any],
    heat_maps: np.ndarray,
    label_issues_section: dict[str, Any],
    champion_facts: dict[str, Any],
    classifier_check: dict[str, float],
    quarantined_images: pd.DataFrame,
    image_index: pd.DataFrame,
    images: np.ndarray,
    splits: pd.DataFrame,
    split_check: dict[str, Any],
    split_summary: pd.DataFrame,
    random_split: dict[str, Any],
    backbone: BackboneParameters,
    **figures: bytes,
) -> str:
    """Write the report: one HTML page that needs nothing but itself.

    The details are those of the model that was chosen on dev.

    Returns:
        ``report``: HTML. The figures come in as PNG bytes.
    """
    model = comparison["chosen"]
    content = ReportContent(
        metrics=metrics[model],
        class_metrics=class_metrics.query("split == 'test' and model == @model"),
        splits=splits,
        split_check=split_check,
        split_summary=split_summary,
        random_split=random_split,
        wrong_count=explanations["wrong"],
        quarantined=quarantined_images,
        file_count=len(image_index),
        backbone=f"{backbone.name}, weights {backbone.weights.rpartition('/')[2]}",
        image_size=images.shape[1],
        confidence=comparison["confidence"],
        check=classifier_check,
        figures=figures,
        model=model,
        models=metrics,
        sections={
            "comparison": comparison,
            "error_breakdown": error_breakdown,
            "calibration": calibration,
            "curves": curves,
            "explanation": embed_pictures(explanations, heat_maps, images),
            "label_issues": label_issues_section,
            "champion": champion_facts,
        },
    )
    return render_report(content)
