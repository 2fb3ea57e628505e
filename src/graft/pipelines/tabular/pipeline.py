"""Wiring of the tabular pipeline."""

from kedro.pipeline import Node, Pipeline

from graft.pipelines.tabular.nodes import (
    cross_validate_table,
    draw_fold_scores,
    summarise_folds,
    write_tabular_report,
)


def create_pipeline(**_: object) -> Pipeline:
    """``raw_table`` → ``tabular_scores``, ``tabular_metrics`` and ``tabular_report``."""
    return Pipeline(
        [
            Node(
                cross_validate_table,
                inputs=["raw_table", "params:tabular"],
                outputs="tabular_scores",
                name="cross_validate_table",
            ),
            Node(
                summarise_folds,
                inputs=["tabular_scores", "params:tabular"],
                outputs="tabular_metrics",
                name="summarise_folds",
            ),
            Node(
                draw_fold_scores,
                inputs=["tabular_scores", "params:tabular"],
                outputs="fold_scores",
                name="draw_fold_scores",
            ),
            Node(
                write_tabular_report,
                inputs=["tabular_metrics", "tabular_scores", "fold_scores", "params:tabular"],
                outputs="tabular_report",
                name="write_tabular_report",
            ),
        ],
        namespace="tabular",
        prefix_datasets_with_namespace=False,
    )
