"""Wiring of the training stage."""

from kedro.pipeline import Node, Pipeline

from graft.pipelines.training.nodes import draw_training_curves, train_network


def create_pipeline(**_: object) -> Pipeline:
    """``images``, ``splits`` → ``trained_classifier`` and its history."""
    return Pipeline(
        [
            Node(
                train_network,
                inputs=[
                    "images",
                    "splits",
                    "class_names",
                    "training_backup",
                    "training_logs",
                    "params:training",
                ],
                outputs=["trained_classifier", "training_history"],
                name="train_network",
            ),
            Node(
                draw_training_curves,
                inputs="training_history",
                outputs="training_curves",
                name="draw_training_curves",
            ),
        ],
        namespace="training",
        prefix_datasets_with_namespace=False,
    )
