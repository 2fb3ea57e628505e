"""Wiring of the comparison of runs."""

from kedro.pipeline import Node, Pipeline

from graft.pipelines.compare_runs.nodes import compare_runs


def create_pipeline(**_: object) -> Pipeline:
    """``chosen_predictions`` of this run and of another one → ``run_comparison``."""
    return Pipeline(
        [
            Node(
                compare_runs,
                inputs=[
                    "chosen_predictions",
                    "splits",
                    "other_predictions",
                    "other_splits",
                    "params:compare_runs",
                ],
                outputs="run_comparison",
                name="compare_runs",
                tags=["always"],
            )
        ],
        namespace="compare_runs",
        prefix_datasets_with_namespace=False,
    )
