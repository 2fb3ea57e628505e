"""Wiring of the fine-tuning stage."""

from kedro.pipeline import Node, Pipeline

from graft.pipelines.fine_tuning.nodes import (
    draw_augmented_pictures,
    draw_fine_tuning_curves,
    fine_tune,
    store_boundary_activations,
)


def create_pipeline(**_: object) -> Pipeline:
    """``backbone``, ``head``, ``images`` → ``fine_tuned_classifier`` and its history."""
    return Pipeline(
        [
            Node(
                store_boundary_activations,
                inputs=[
                    "backbone",
                    "images",
                    "image_origins",
                    "splits",
                    "previous_boundary_activations",
                    "params:fine_tuning",
                ],
                outputs="boundary_activations",
                name="store_boundary_activations",
            ),
            Node(
                fine_tune,
                inputs=[
                    "backbone",
                    "head",
                    "boundary_activations",
                    "images",
                    "splits",
                    "class_names",
                    "fine_tuning_backup",
                    "fine_tuning_logs",
                    "params:fine_tuning",
                ],
                outputs=["fine_tuned_classifier", "fine_tuning_history"],
                name="fine_tune",
            ),
            Node(
                draw_augmented_pictures,
                inputs=["images", "splits", "params:fine_tuning"],
                outputs="augmented_pictures",
                name="draw_augmented_pictures",
            ),
            Node(
                draw_fine_tuning_curves,
                inputs="fine_tuning_history",
                outputs="fine_tuning_curves",
                name="draw_fine_tuning_curves",
            ),
        ],
        namespace="fine_tuning",
        prefix_datasets_with_namespace=False,
    )
