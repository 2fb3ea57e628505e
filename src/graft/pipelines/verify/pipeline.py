"""Wiring of the verify pipeline."""

from kedro.pipeline import Node, Pipeline

from graft.pipelines.verify.nodes import verify_metrics


def create_pipeline(**_: object) -> Pipeline:
    """``champion``, ``images``, ``splits`` → ``verification``, every time anew."""
    return Pipeline(
        [
            Node(
                verify_metrics,
                inputs=["champion", "images", "splits"],
                outputs="verification",
                name="verify_metrics",
                tags=["always"],
            )
        ],
        namespace="verify",
        prefix_datasets_with_namespace=False,
    )
