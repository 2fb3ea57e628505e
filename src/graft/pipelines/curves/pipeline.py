"""Wiring of the curves stage."""

from kedro.pipeline import Node, Pipeline

from graft.pipelines.curves.nodes import (
    draw_all_learning_curves,
    draw_class_curves,
    draw_learning_size_curve,
    measure_learning_sizes,
    summarise_curves,
)

_HISTORIES = ["head_history", "fine_tuning_history", "training_history"]


def create_pipeline(**_: object) -> Pipeline:
    """``chosen_predictions``, ``features`` and the histories → ``curves`` and figures."""
    return Pipeline(
        [
            Node(
                measure_learning_sizes,
                inputs=["features", "chosen_predictions", "splits", "params:curves"],
                outputs="learning_sizes",
                name="measure_learning_sizes",
            ),
            Node(
                summarise_curves,
                inputs=["chosen_predictions", "class_names", *_HISTORIES, "learning_sizes"],
                outputs="curves",
                name="summarise_curves",
            ),
            Node(
                draw_class_curves,
                inputs=["chosen_predictions", "class_names"],
                outputs=["roc_curves", "precision_recall_curves"],
                name="draw_class_curves",
            ),
            Node(
                draw_all_learning_curves,
                inputs=_HISTORIES,
                outputs="all_learning_curves",
                name="draw_all_learning_curves",
            ),
            Node(
                draw_learning_size_curve,
                inputs="learning_sizes",
                outputs="learning_size_curve",
                name="draw_learning_size_curve",
            ),
        ],
        namespace="curves",
        prefix_datasets_with_namespace=False,
    )
