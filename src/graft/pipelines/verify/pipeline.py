"""Wiring of the verify pipeline."""

from kedro.pipeline import Node, Pipeline

from graft.pipelines.verify.nodes import verify_metrics


def create_pipeline(**_: object) -> Pipeline:
    """``frozen_classifier``, ``images``, ``metrics`` → ``verification``, every time anew."""
    return Pipeline(
        [
            Node(
                verify_metrics,
                inputs=["frozen_classifier", "images", "splits", "class_names", "metrics"],
                outputs="verification",
                name="verify_metrics",
                tags=["always"],
            )
        ],
        namespace="verify",
        prefix_datasets_with_namespace=False,
    )
