"""Wiring of the champion stage."""

from kedro.pipeline import Node, Pipeline

from graft.pipelines.candidates import bind, list_candidates
from graft.pipelines.champion.nodes import (
    count_test_evaluations,
    describe_champion,
    measure_familiarity,
    pack_champion,
)


def create_pipeline(**_: object) -> Pipeline:
    """``chosen_classifier``, its predictions, ``metrics``, ``calibration`` → ``champion``."""
    candidates = list_candidates()
    return Pipeline(
        [
            Node(
                count_test_evaluations,
                inputs=["predictions", "metrics", "splits", "previous_test_evaluations"],
                outputs="test_evaluations",
                name="count_test_evaluations",
            ),
            Node(
                bind(
                    describe_champion,
                    titles={candidate.name: candidate.title for candidate in candidates},
                    on_backbone=[one.name for one in candidates if one.has_backbone],
                ),
                inputs=[
                    "chosen_predictions",
                    "metrics",
                    "class_metrics",
                    "splits",
                    "class_names",
                    "calibration",
                    "label_issues_counts",
                    "error_breakdown",
                    "test_evaluations",
                    "params:backbone",
                    "params:decoding",
                    "params:champion",
                    *(
                        f"{one.name}.unlabelled_verdict"
                        for one in candidates
                        if one.learns_unlabelled
                    ),
                ],
                outputs="champion_facts",
                name="describe_champion",
            ),
            Node(
                measure_familiarity,
                inputs=[
                    "chosen_classifier",
                    "features",
                    "images",
                    "splits",
                    "params:familiarity",
                ],
                outputs="familiarity",
                name="measure_familiarity",
            ),
            Node(
                pack_champion,
                inputs=[
                    "champion_facts",
                    "chosen_classifier",
                    "familiarity",
                    "params:backbone",
                    "params:splitting",
                    "params:decoding",
                    "params:head_training",
                    "params:fine_tuning",
                    "params:from_scratch",
                ],
                outputs="champion",
                name="pack_champion",
            ),
        ],
        namespace="champion",
        prefix_datasets_with_namespace=False,
    )
