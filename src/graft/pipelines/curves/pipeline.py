"""Wiring of the curves stage."""

from kedro.pipeline import Node, Pipeline

from graft.pipelines.candidates import bind, list_candidates, name_all
from graft.pipelines.curves.nodes import (
    draw_all_training_curves,
    draw_class_curves,
    draw_learning_curve_figure,
    measure_learning_curve,
    summarise_curves,
)


def create_pipeline(**_: object) -> Pipeline:
    """``chosen_predictions``, ``features`` and the histories → ``curves`` and figures."""
    names = [candidate.name for candidate in list_candidates()]
    histories = name_all("history")
    return Pipeline(
        [
            Node(
                measure_learning_curve,
                inputs=["features", "chosen_predictions", "splits", "params:curves"],
                outputs="learning_curve",
                name="measure_learning_curve",
            ),
            Node(
                bind(summarise_curves, names=names),
                inputs=["chosen_predictions", "class_names", "learning_curve", *histories],
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
                bind(draw_all_training_curves, names=names),
                inputs=histories,
                outputs="all_training_curves",
                name="draw_all_training_curves",
            ),
            Node(
                draw_learning_curve_figure,
                inputs="learning_curve",
                outputs="learning_curve_figure",
                name="draw_learning_curve_figure",
            ),
        ],
        namespace="curves",
        prefix_datasets_with_namespace=False,
    )
