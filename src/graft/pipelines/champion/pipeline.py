"""Wiring of the champion stage."""

from kedro.pipeline import Node, Pipeline

from graft.pipelines.candidates import bind, list_candidates, list_warm_inputs, name_all
from graft.pipelines.champion.lineage import describe_warm_start, list_champion_pictures
from graft.pipelines.champion.nodes import (
    count_test_evaluations,
    describe_champion,
    measure_familiarity,
    pack_champion,
)

# What makes the champion's folder, and whose parameters stand in it.
_PACKED = ("champion_facts", "chosen_classifier", "familiarity")
_TOLD_OF = (
    "backbone", "splitting", "decoding", "head_training", "fine_tuning", "from_scratch",
)  # fmt: skip


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
                    "params:forward",
                    "forward_exports",
                ],
                outputs="familiarity",
                name="measure_familiarity",
            ),
            Node(
                pack_champion,
                inputs={
                    **{name: name for name in _PACKED},
                    **{stage: f"params:{stage}" for stage in _TOLD_OF},
                    **_list_origins([candidate.name for candidate in candidates]),
                },
                outputs="champion",
                name="pack_champion",
            ),
            Node(
                list_champion_pictures,
                inputs=["splits", *list_warm_inputs()[:1]],
                outputs="champion_pictures",
                name="list_champion_pictures",
            ),
            *_create_warm(),
        ],
        namespace="champion",
        prefix_datasets_with_namespace=False,
    )


def _list_origins(candidates: list[str]) -> dict[str, str]:
    """What is known of how the champion was made, by the argument that takes it."""
    origins = {"fine_tuned_recipe": "fine_tuned_recipe"} if "fine_tuned" in candidates else {}
    if list_warm_inputs():
        origins["warm_start"] = "warm_start_outcome"
    return origins


def _create_warm() -> list[Node]:
    if not list_warm_inputs():
        return []
    names = [candidate.name for candidate in list_candidates()]
    return [
        Node(
            bind(describe_warm_start, names=names),
            inputs=["starting_point", "chosen_predictions", *name_all("history")],
            outputs="warm_start_outcome",
            name="describe_warm_start",
        )
    ]
