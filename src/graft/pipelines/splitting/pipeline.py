"""Wiring of the splitting stage."""

from kedro.pipeline import Node, Pipeline

from graft.pipelines.splitting.nodes import split_images, summarise_splits


def create_pipeline(**_: object) -> Pipeline:
    """``image_index``, ``image_links``, ``previous_splits`` → ``splits`` and what was checked."""
    return Pipeline(
        [
            Node(
                split_images,
                inputs=["image_index", "image_links", "previous_splits", "params:splitting"],
                outputs=["splits", "class_names", "split_check"],
                name="split_images",
            ),
            Node(
                summarise_splits,
                inputs=["splits", "params:splitting"],
                outputs="split_summary",
                name="summarise_splits",
            ),
        ],
        namespace="splitting",
        prefix_datasets_with_namespace=False,
    )
