"""Wiring of the feature extraction stage."""

from kedro.pipeline import Node, Pipeline

from graft.pipelines.feature_extraction.nodes import build_backbone, extract_features


def create_pipeline(**_: object) -> Pipeline:
    """``images``, ``splits``, ``image_index``, ``previous_features`` → ``backbone``, ``features``.

    ``build_backbone`` needs no picture: in a whole run it comes first, so that missing weights
    are known before hours of other work.
    """
    return Pipeline(
        [
            Node(
                build_backbone,
                inputs=["params:backbone"],
                outputs="backbone",
                name="build_backbone",
            ),
            Node(
                extract_features,
                inputs=[
                    "backbone",
                    "images",
                    "image_origins",
                    "splits",
                    "image_index",
                    "previous_features",
                    "params:feature_extraction",
                    "params:forward",
                    "forward_exports",
                    "params:compute",
                    "feature_shards",
                ],
                outputs="features",
                name="extract_features",
            ),
        ],
        namespace="feature_extraction",
        prefix_datasets_with_namespace=False,
    )
