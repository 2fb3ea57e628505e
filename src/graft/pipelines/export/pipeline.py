"""Wiring of the export pipeline."""

from kedro.pipeline import Node, Pipeline

from graft.pipelines.export.nodes import export_champion, measure_latencies


def create_pipeline(**_: object) -> Pipeline:
    """``champion``, ``images``, ``splits`` → ``exported``, ``export_check``, ``export_latency``."""
    return Pipeline(
        [
            Node(
                export_champion,
                inputs=[
                    "champion",
                    "images",
                    "splits",
                    "params:export",
                    "params:familiarity",
                ],
                outputs=["exported", "export_check"],
                name="export_champion",
            ),
            Node(
                measure_latencies,
                inputs=["champion", "exported", "images", "params:export"],
                outputs="export_latency",
                name="measure_latencies",
            ),
        ],
        namespace="export",
        prefix_datasets_with_namespace=False,
    )
