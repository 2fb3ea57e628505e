"""Wiring of the cross-validation."""

from kedro.pipeline import Node, Pipeline

from graft.pipelines.cross_validation.nodes import (
    cross_validate,
    draw_cross_validation_folds,
    store_fold_activations,
    summarise_cross_validation,
    write_cross_validation_page,
)


def create_pipeline(**_: object) -> Pipeline:
    """``features``, ``splits`` → ``cross_validation``, its folds and its page."""
    return Pipeline(
        [
            Node(
                store_fold_activations,
                inputs=[
                    "backbone",
                    "images",
                    "image_origins",
                    "splits",
                    "class_names",
                    "previous_boundary_activations",
                    "fine_tuned_recipe",
                    "params:fine_tuning",
                    "params:cross_validation",
                    "params:forward",
                    "forward_exports",
                    "params:compute",
                    "fold_shards",
                ],
                outputs="fold_activations",
                name="store_fold_activations",
            ),
            Node(
                cross_validate,
                inputs=[
                    "features",
                    "backbone",
                    "fold_activations",
                    "images",
                    "splits",
                    "class_names",
                    "fine_tuned_recipe",
                    "params:head_training",
                    "params:fine_tuning",
                    "params:cross_validation",
                ],
                outputs="cross_validation_scores",
                name="cross_validate",
            ),
            Node(
                summarise_cross_validation,
                inputs=["cross_validation_scores", "params:cross_validation"],
                outputs="cross_validation",
                name="summarise_cross_validation",
            ),
            Node(
                draw_cross_validation_folds,
                inputs="cross_validation_scores",
                outputs="cross_validation_folds",
                name="draw_cross_validation_folds",
            ),
            Node(
                write_cross_validation_page,
                inputs=["cross_validation", "cross_validation_folds"],
                outputs="cross_validation_page",
                name="write_cross_validation_page",
            ),
        ],
        namespace="cross_validation",
        prefix_datasets_with_namespace=False,
    )
