"""Wiring of the evaluation stage."""

from kedro.pipeline import Node, Pipeline

from graft.pipelines.candidates import bind, list_candidates, name_all
from graft.pipelines.evaluation.nodes import (
    compare_models,
    compare_with_random_split,
    draw_confusion_matrices,
    draw_error_breakdown,
    measure_error_breakdown,
    measure_predictions,
)


def create_pipeline(**_: object) -> Pipeline:
    """Predictions and costs of the candidates → metrics, comparison, figures."""
    names = [candidate.name for candidate in list_candidates()]
    return Pipeline(
        [
            Node(
                measure_predictions,
                inputs=[
                    "predictions",
                    "chosen_predictions",
                    "splits",
                    "class_names",
                    "params:evaluation",
                ],
                outputs=["metrics", "class_metrics"],
                name="measure_predictions",
            ),
            Node(
                bind(compare_models, names=names),
                inputs=[
                    "predictions",
                    "chosen_predictions",
                    "metrics",
                    "splits",
                    "class_names",
                    "params:evaluation",
                    *name_all("cost"),
                ],
                outputs="comparison",
                name="compare_models",
            ),
            Node(
                measure_error_breakdown,
                inputs=[
                    "predictions",
                    "chosen_predictions",
                    "train_predictions",
                    "splits",
                    "params:evaluation",
                ],
                outputs="error_breakdown",
                name="measure_error_breakdown",
            ),
            Node(
                draw_error_breakdown,
                inputs="error_breakdown",
                outputs="error_breakdown_figure",
                name="draw_error_breakdown",
            ),
            Node(
                compare_with_random_split,
                inputs=["features", "splits", "params:evaluation"],
                outputs="random_split",
                name="compare_with_random_split",
            ),
            Node(
                draw_confusion_matrices,
                inputs=["chosen_predictions", "class_names"],
                outputs=["confusion_matrix", "confusion_matrix_log2"],
                name="draw_confusion_matrices",
            ),
        ],
        namespace="evaluation",
        prefix_datasets_with_namespace=False,
    )
