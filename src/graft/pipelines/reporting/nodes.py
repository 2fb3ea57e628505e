"""The node of the reporting stage."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from graft.parameters.base import BackboneParameters
from graft.reporting.error_figures import embed_pictures
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
    recipe_race: pd.DataFrame | None = None,
    fine_tuned_recipe: dict[str, Any] | None = None,
    chosen_predictions: pd.DataFrame | None = None,
    warm_start_outcome: dict[str, Any] | None = None,
    *,
    titles: dict[str, str],
    **figures: bytes,
) -> str:
    """Write the report: one HTML page that needs nothing but itself.

    The details are those of the model that was chosen on dev.

    ``titles`` maps the name of every candidate to what it is, in a line.

    Returns:
        ``report``: HTML. The figures come in as the bytes of SVGs.
    """
    model = comparison["chosen"]
    touched = (split_check.get("given") or {}).get("touched")
    if touched and chosen_predictions is not None:
        split_check = {**split_check, "untouched": _measure_untouched(chosen_predictions, touched)}
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
        titles=titles,
        sections={
            "comparison": comparison,
            "recipes": {
                "race": [] if recipe_race is None else recipe_race.to_dict("records"),
                "chosen": fine_tuned_recipe or {},
            },
            "error_breakdown": error_breakdown,
            "calibration": calibration,
            "curves": curves,
            "explanation": embed_pictures(explanations, heat_maps, images),
            "label_issues": label_issues_section,
            "champion": {**champion_facts, "warm_start": warm_start_outcome},
        },
    )
    return render_report(content)


def _measure_untouched(predictions: pd.DataFrame, touched: list[str]) -> dict[str, float]:
    """Accuracy on the pictures of test that have no relative in train or dev."""
    rows = predictions[(predictions["split"] == "test") & ~predictions["image_id"].isin(touched)]
    if rows.empty:
        return {"n": 0, "accuracy": 0.0}
    probabilities = rows.filter(regex="^probability_")
    named = probabilities.idxmax(axis=1).str.removeprefix("probability_")
    return {"n": len(rows), "accuracy": float((named == rows["label"]).mean())}
