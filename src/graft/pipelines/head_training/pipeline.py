"""Wiring of the head training stage."""

from kedro.pipeline import Node, Pipeline

from graft.pipelines.head_training.nodes import join_frozen_classifier, train_head


def create_pipeline(**_: object) -> Pipeline:
    """``features``, ``backbone`` → ``head``, ``head_history``, ``frozen_classifier``."""
    return Pipeline(
        [
            Node(
                train_head,
                inputs=[
                    "features",
                    "images",
                    "splits",
                    "class_names",
                    "head_training_backup",
                    "head_training_logs",
                    "params:head_training",
                ],
                outputs=["head", "head_history"],
                name="train_head",
            ),
            Node(
                join_frozen_classifier,
                inputs=["backbone", "head"],
                outputs="frozen_classifier",
                name="join_frozen_classifier",
            ),
        ],
        namespace="head_training",
        prefix_datasets_with_namespace=False,
    )
