"""Wiring of the reporting stage."""

from kedro.pipeline import Node, Pipeline

from graft.pipelines.candidates import bind, list_candidates, list_warm_inputs, name_all
from graft.pipelines.reporting.nodes import write_report

FIGURES = (
    "confusion_matrix",
    "confusion_matrix_log2",
    "error_breakdown_figure",
    "reliability_diagram",
    "abstention_curve",
    "learning_curve_figure",
    "roc_curves",
    "precision_recall_curves",
    "all_training_curves",
)
_FOUND = (
    "metrics",
    "class_metrics",
    "comparison",
    "error_breakdown",
    "calibration",
    "curves",
    "explanations",
    "heat_maps",
    "label_issues_section",
    "champion_facts",
    "classifier_check",
    "quarantined_images",
    "image_index",
    "images",
    "splits",
    "split_check",
    "split_summary",
    "random_split",
    "chosen_predictions",
)
# What the fine-tuning alone leaves.
_OF_FINE_TUNING = ("augmented_pictures", "recipe_race_curves", "recipe_race", "fine_tuned_recipe")


def create_pipeline(**_: object) -> Pipeline:
    """What the stages before found, and their figures → ``report``."""
    candidates = list_candidates()
    drawn = [*FIGURES, *name_all("training_curves")]
    if any(candidate.name == "fine_tuned" for candidate in candidates):
        drawn += _OF_FINE_TUNING
    if list_warm_inputs():
        drawn.append("warm_start_outcome")
    titles = {candidate.name: candidate.title for candidate in candidates}
    return Pipeline(
        [
            Node(
                bind(write_report, titles=titles),
                inputs={
                    **{name: name for name in (*_FOUND, *drawn)},
                    "backbone": "params:backbone",
                },
                outputs="report",
                name="write_report",
            ),
        ],
        namespace="reporting",
        prefix_datasets_with_namespace=False,
    )
