"""Wiring of the stage of doubtful labels."""

from kedro.pipeline import Node, Pipeline

from graft.pipelines.label_issues.nodes import describe_label_issues, find_label_issues


def create_pipeline(**_: object) -> Pipeline:
    """``chosen_predictions``, ``features``, ``splits`` → ``label_issues`` and their section."""
    return Pipeline(
        [
            Node(
                find_label_issues,
                inputs=[
                    "features",
                    "chosen_predictions",
                    "splits",
                    "class_names",
                    "applied_reviews",
                    "params:label_issues",
                ],
                outputs=["label_issues", "label_issues_counts"],
                name="find_label_issues",
            ),
            Node(
                describe_label_issues,
                inputs=[
                    "label_issues",
                    "label_issues_counts",
                    "images",
                    "splits",
                    "params:label_issues",
                ],
                outputs="label_issues_section",
                name="describe_label_issues",
            ),
        ],
        namespace="label_issues",
        prefix_datasets_with_namespace=False,
    )
