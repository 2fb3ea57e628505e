"""Wiring of the ingestion stage."""

from kedro.pipeline import Node, Pipeline

from graft.pipelines.ingestion.nodes import check_images, cluster_images


def create_pipeline(**_: object) -> Pipeline:
    """``raw_images``, ``former_checked_images`` → ``image_index`` and the lists beside it."""
    return Pipeline(
        [
            Node(
                check_images,
                inputs=["raw_images", "former_checked_images", "params:ingestion"],
                outputs="checked_images",
                name="check_images",
            ),
            Node(
                cluster_images,
                inputs=["checked_images", "params:ingestion"],
                outputs=[
                    "image_index",
                    "quarantined_images",
                    "unlabelled_images",
                    "duplicates",
                    "label_conflicts",
                ],
                name="cluster_images",
            ),
        ],
        namespace="ingestion",
        prefix_datasets_with_namespace=False,
    )
