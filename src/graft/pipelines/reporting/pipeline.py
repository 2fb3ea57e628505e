"""Wiring of the reporting stage."""

from kedro.pipeline import Node, Pipeline

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
    "learning_curves",
    "fine_tuning_curves",
    "training_curves",
    "augmented_pictures",
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
)


def create_pipeline(**_: object) -> Pipeline:
    """What the stages before found, and their figures → ``report``."""
    return Pipeline(
        [
            Node(
                write_report,
                inputs={
                    **{name: name for name in (*_FOUND, *FIGURES)},
                    "backbone": "params:backbone",
                },
                outputs="report",
                name="write_report",
            ),
        ],
        namespace="reporting",
        prefix_datasets_with_namespace=False,
    )
