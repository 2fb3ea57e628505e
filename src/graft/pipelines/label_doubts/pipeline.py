"""Wiring of the stage of doubtful labels."""

from kedro.pipeline import Node, Pipeline

from graft.pipelines.label_doubts.nodes import describe_label_doubts, find_label_doubts


def create_pipeline(**_: object) -> Pipeline:
    """``chosen_predictions``, ``features``, ``splits`` → ``label_doubts`` and their section."""
    return Pipeline(
        [
            Node(
                find_label_doubts,
                inputs=[
                    "features",
                    "chosen_predictions",
                    "splits",
                    "class_names",
                    "applied_verdicts",
                    "params:label_doubts",
                ],
                outputs=["label_doubts", "label_doubts_counts"],
                name="find_label_doubts",
            ),
            Node(
                describe_label_doubts,
                inputs=[
                    "label_doubts",
                    "label_doubts_counts",
                    "images",
                    "splits",
                    "params:label_doubts",
                ],
                outputs="label_doubts_section",
                name="describe_label_doubts",
            ),
        ],
        namespace="label_doubts",
        prefix_datasets_with_namespace=False,
    )
