"""Wiring of the evaluation stage."""

from kedro.pipeline import Node, Pipeline

from graft.pipelines.evaluation.comparing import compare_models, measure_costs
from graft.pipelines.evaluation.nodes import (
    check_frozen_classifier,
    compare_with_random_split,
    draw_confusion_matrices,
    draw_error_breakdown,
    draw_learning_curves,
    measure_error_breakdown,
    measure_predictions,
    predict_from_features,
)
from graft.pipelines.evaluation.predicting import (
    collect_predictions,
    predict_from_pictures,
    predict_from_scratch,
    store_measured_activations,
)


def create_pipeline(**_: object) -> Pipeline:
    """Classifiers, ``features``, ``images`` → predictions, metrics, comparison, figures."""
    return Pipeline(
        [
            Node(
                predict_from_features,
                inputs=["features", "head", "splits", "class_names", "params:train_sample"],
                outputs="frozen_predictions",
                name="predict_from_features",
            ),
            Node(
                store_measured_activations,
                inputs=[
                    "fine_tuned_classifier",
                    "fine_tuning_history",
                    "images",
                    "image_origins",
                    "splits",
                    "previous_measured_activations",
                    "params:train_sample",
                ],
                outputs="measured_activations",
                name="store_measured_activations",
            ),
            Node(
                predict_from_pictures,
                inputs=[
                    "fine_tuned_classifier",
                    "fine_tuning_history",
                    "measured_activations",
                    "images",
                    "splits",
                    "class_names",
                    "params:train_sample",
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
                    "params:train_sample",
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
                outputs=["predictions", "chosen_predictions", "train_predictions"],
                name="collect_predictions",
            ),
            Node(
                measure_costs,
                inputs=[
                    "frozen_classifier",
                    "fine_tuned_classifier",
                    "trained_classifier",
                    "fine_tuning_history",
                    "training_history",
                ],
                outputs="model_costs",
                name="measure_costs",
            ),
            Node(
                compare_models,
                inputs=[
                    "predictions",
                    "chosen_predictions",
                    "metrics",
                    "model_costs",
                    "splits",
                    "class_names",
                    "params:evaluation",
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
                outputs="random_split",
                name="compare_with_random_split",
            ),
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
        ],
        namespace="evaluation",
        prefix_datasets_with_namespace=False,
    )
