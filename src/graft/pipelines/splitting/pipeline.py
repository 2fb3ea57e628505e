"""Wiring of the splitting stage."""

from kedro.pipeline import Node, Pipeline

from graft.pipelines.splitting.nodes import split_images


def create_pipeline(**_: object) -> Pipeline:
    """``image_index`` → ``splits``, ``class_names``."""
    return Pipeline(
        [
            Node(
                split_images,
                inputs=["image_index", "params:splitting"],
                outputs=["splits", "class_names"],
                name="split_images",
            )
        ],
        namespace="splitting",
        prefix_datasets_with_namespace=False,
    )
