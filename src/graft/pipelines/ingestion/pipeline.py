"""Wiring of the ingestion stage."""

from kedro.pipeline import Node, Pipeline

from graft.pipelines.ingestion.labels import check_label_review
from graft.pipelines.ingestion.nodes import check_images, cluster_images


def create_pipeline(**_: object) -> Pipeline:
    """``raw_images``, ``label_review`` → ``image_index`` and the lists beside it."""
    return Pipeline(
        [
            Node(
                check_images,
                inputs=[
                    "raw_images",
                    "previous_checked_images",
                    "params:ingestion",
                    "params:compute",
                    "checked_shards",
                ],
                outputs="checked_images",
                name="check_images",
            ),
            Node(
                check_label_review,
                inputs=["checked_images", "label_review"],
                outputs="applied_reviews",
                name="check_label_review",
            ),
            Node(
                cluster_images,
                inputs=["checked_images", "applied_reviews", "params:ingestion"],
                outputs=[
                    "image_index",
                    "quarantined_images",
                    "unlabelled_images",
                    "duplicates",
                    "label_conflicts",
                    "image_links",
                ],
                name="cluster_images",
            ),
        ],
        namespace="ingestion",
        prefix_datasets_with_namespace=False,
    )
