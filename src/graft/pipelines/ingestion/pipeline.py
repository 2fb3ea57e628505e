"""Wiring of the ingestion stage."""

from kedro.pipeline import Node, Pipeline

from graft.pipelines.ingestion.nodes import check_images, cluster_images
from graft.pipelines.ingestion.verdicts import check_label_verdicts


def create_pipeline(**_: object) -> Pipeline:
    """``raw_images``, ``label_verdicts`` → ``image_index`` and the lists beside it."""
    return Pipeline(
        [
            Node(
                check_images,
                inputs=["raw_images", "former_checked_images", "params:ingestion"],
                outputs="checked_images",
                name="check_images",
            ),
            Node(
                check_label_verdicts,
                inputs=["checked_images", "label_verdicts"],
                outputs="applied_verdicts",
                name="check_label_verdicts",
            ),
            Node(
                cluster_images,
                inputs=["checked_images", "applied_verdicts", "params:ingestion"],
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
