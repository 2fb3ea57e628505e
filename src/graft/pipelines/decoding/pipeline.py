"""Wiring of the decoding stage."""

from kedro.pipeline import Node, Pipeline

from graft.pipelines.decoding.nodes import decode_images


def create_pipeline(**_: object) -> Pipeline:
    """``raw_images``, ``splits``, ``previous_images`` → ``images``, ``image_origins``."""
    return Pipeline(
        [
            Node(
                decode_images,
                inputs=[
                    "raw_images",
                    "splits",
                    "previous_images",
                    "params:decoding",
                    "params:compute",
                    "image_shards",
                ],
                outputs=["images", "image_origins"],
                name="decode_images",
            )
        ],
        namespace="decoding",
        prefix_datasets_with_namespace=False,
    )
