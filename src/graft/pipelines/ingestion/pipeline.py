"""Wiring of the ingestion stage."""

from kedro.pipeline import Node, Pipeline

from graft.pipelines.ingestion.nodes import check_images


def create_pipeline(**_: object) -> Pipeline:
    """``raw_images`` → ``image_index``, ``quarantined_images``."""
    return Pipeline(
        [
            Node(
                check_images,
                inputs=["raw_images", "params:ingestion"],
                outputs=["image_index", "quarantined_images"],
                name="check_images",
            )
        ],
        namespace="ingestion",
        prefix_datasets_with_namespace=False,
    )
