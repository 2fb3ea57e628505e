"""Wiring of the learning-rate test."""

from kedro.pipeline import Node, Pipeline

from graft.pipelines.head_learning_rate.nodes import find_head_learning_rate


def create_pipeline(**_: object) -> Pipeline:
    """``features`` and the parameters of the head's training → table and figure."""
    return Pipeline(
        [
            Node(
                find_head_learning_rate,
                inputs=[
                    "features",
                    "splits",
                    "class_names",
                    "params:head_training",
                    "params:head_learning_rate",
                ],
                outputs=["head_learning_rates", "head_learning_rate_curve"],
                name="find_head_learning_rate",
            )
        ],
        namespace="head_learning_rate",
        prefix_datasets_with_namespace=False,
    )
