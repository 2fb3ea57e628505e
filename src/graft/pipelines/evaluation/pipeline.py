"""Wiring of the evaluation stage."""

from kedro.pipeline import Node, Pipeline

from graft.pipelines.evaluation.fine_tuned import (
    collect_predictions,
    compare_models,
    predict_from_pictures,
)
from graft.pipelines.evaluation.flattery import compare_with_random_split
from graft.pipelines.evaluation.from_scratch import compare_with_scratch, predict_from_scratch
from graft.pipelines.evaluation.held_out import store_held_out_activations
from graft.pipelines.evaluation.nodes import (
    check_frozen_classifier,
    measure_predictions,
    predict_from_features,
)
from graft.pipelines.evaluation.reporting import (
    draw_confusion_matrices,
    draw_learning_curves,
    draw_wrong_pictures,
    write_report,
)


def create_pipeline(**_: object) -> Pipeline:
    """Both classifiers, ``features``, ``images`` → figures and ``report``."""
    return Pipeline(
        [
            Node(
                predict_from_features,
                inputs=["features", "head", "splits", "class_names"],
                outputs="frozen_predictions",
                name="predict_from_features",
            ),
            Node(
                store_held_out_activations,
                inputs=[
                    "fine_tuned_classifier",
                    "fine_tuning_history",
                    "images",
                    "splits",
                    "former_held_out_activations",
                ],
                outputs="held_out_activations",
                name="store_held_out_activations",
            ),
            Node(
                predict_from_pictures,
                inputs=[
                    "fine_tuned_classifier",
                    "fine_tuning_history",
                    "held_out_activations",
                    "images",
                    "splits",
                    "class_names",
                ],
                outputs="fine_tuned_predictions",
                name="predict_from_pictures",
            ),
            Node(
                predict_from_scratch,
                inputs=[
                    "trained_classifier",
                    "training_history",
                    "images",
                    "splits",
                    "class_names",
                ],
                outputs="from_scratch_predictions",
                name="predict_from_scratch",
            ),
            Node(
                collect_predictions,
                inputs=[
                    "frozen_predictions",
                    "fine_tuned_predictions",
                    "from_scratch_predictions",
                ],
                outputs=["predictions", "chosen_predictions"],
                name="collect_predictions",
            ),
            Node(
                compare_models,
                inputs=["predictions", "params:evaluation"],
                outputs="comparison",
                name="compare_models",
            ),
            Node(
                compare_with_scratch,
                inputs=["predictions", "params:evaluation"],
                outputs="scratch_comparison",
                name="compare_with_scratch",
            ),
            Node(
                check_frozen_classifier,
                inputs=[
                    "frozen_classifier",
                    "images",
                    "splits",
                    "frozen_predictions",
                    "params:evaluation",
                ],
                outputs="classifier_check",
                name="check_frozen_classifier",
            ),
            Node(
                compare_with_random_split,
                inputs=["features", "splits", "params:evaluation"],
                outputs="flattery",
                name="compare_with_random_split",
            ),
            Node(
                measure_predictions,
                inputs=["predictions", "class_names", "params:evaluation"],
                outputs=["metrics", "class_metrics"],
                name="measure_predictions",
            ),
            Node(
                draw_confusion_matrices,
                inputs=["chosen_predictions", "class_names"],
                outputs=["confusion_matrix", "confusion_matrix_log2"],
                name="draw_confusion_matrices",
            ),
            Node(
                draw_learning_curves,
                inputs=["head_history"],
                outputs="learning_curves",
                name="draw_learning_curves",
            ),
            Node(
                draw_wrong_pictures,
                inputs=["chosen_predictions", "images", "splits", "params:evaluation"],
                outputs="wrong_pictures",
                name="draw_wrong_pictures",
            ),
            Node(
                write_report,
                inputs={
                    "metrics": "metrics",
                    "class_metrics": "class_metrics",
                    "predictions": "chosen_predictions",
                    "comparison": "comparison",
                    "scratch_comparison": "scratch_comparison",
                    "classifier_check": "classifier_check",
                    "confusion_matrix": "confusion_matrix",
                    "confusion_matrix_log2": "confusion_matrix_log2",
                    "learning_curves": "learning_curves",
                    "fine_tuning_curves": "fine_tuning_curves",
                    "augmented_pictures": "augmented_pictures",
                    "training_curves": "training_curves",
                    "quarantined_images": "quarantined_images",
                    "image_index": "image_index",
                    "splits": "splits",
                    "split_check": "split_check",
                    "split_summary": "split_summary",
                    "flattery": "flattery",
                    "images": "images",
                    "backbone": "params:backbone",
                    "parameters": "params:evaluation",
                },
                outputs="report",
                name="write_report",
            ),
        ],
        namespace="evaluation",
        prefix_datasets_with_namespace=False,
    )
