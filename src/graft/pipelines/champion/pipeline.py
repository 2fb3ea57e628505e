"""Wiring of the champion stage."""

from kedro.pipeline import Node, Pipeline

from graft.pipelines.champion.nodes import count_test_looks, describe_champion, pack_champion


def create_pipeline(**_: object) -> Pipeline:
    """``chosen_predictions``, classifiers, ``metrics``, ``calibration`` → ``champion``."""
    return Pipeline(
        [
            Node(
                count_test_looks,
                inputs=["predictions", "metrics", "splits", "former_test_looks"],
                outputs="test_looks",
                name="count_test_looks",
            ),
            Node(
                describe_champion,
                inputs=[
                    "chosen_predictions",
                    "metrics",
                    "class_metrics",
                    "splits",
                    "class_names",
                    "calibration",
                    "label_doubts_counts",
                    "ladder",
                    "test_looks",
                    "params:backbone",
                    "params:decoding",
                    "params:champion",
                ],
                outputs="champion_facts",
                name="describe_champion",
            ),
            Node(
                pack_champion,
                inputs=[
                    "champion_facts",
                    "frozen_classifier",
                    "fine_tuned_classifier",
                    "trained_classifier",
                    "params:backbone",
                    "params:splitting",
                    "params:decoding",
                    "params:head_training",
                    "params:fine_tuning",
                    "params:training",
                ],
                outputs="champion",
                name="pack_champion",
            ),
        ],
        namespace="champion",
        prefix_datasets_with_namespace=False,
    )
