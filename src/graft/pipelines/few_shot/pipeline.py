"""Wiring of the few-shot stage."""

from kedro.pipeline import Node, Pipeline

from graft.pipelines.few_shot.nodes import (
    draw_few_shot_curve,
    learn_from_few_labels,
    summarise_few_shot,
    write_few_shot_report,
)


def create_pipeline(**_: object) -> Pipeline:
    """``features``, ``images`` → ``few_shot_results``, its curve and its report."""
    return Pipeline(
        [
            Node(
                learn_from_few_labels,
                inputs=["features", "images", "splits", "params:backbone", "params:few_shot"],
                outputs="few_shot_results",
                name="learn_from_few_labels",
            ),
            Node(
                summarise_few_shot,
                inputs=["few_shot_results", "params:few_shot"],
                outputs="few_shot_summary",
                name="summarise_few_shot",
            ),
            Node(
                draw_few_shot_curve,
                inputs=["few_shot_summary"],
                outputs="few_shot_curve",
                name="draw_few_shot_curve",
            ),
            Node(
                write_few_shot_report,
                inputs=["few_shot_summary", "few_shot_curve", "splits", "params:few_shot"],
                outputs="few_shot_report",
                name="write_few_shot_report",
            ),
        ],
        namespace="few_shot",
        prefix_datasets_with_namespace=False,
    )
