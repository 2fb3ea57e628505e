"""Wiring of the stage that a warm start begins with."""

from kedro.pipeline import Node, Pipeline

from graft.pipelines.warm_start.nodes import take_champion


def create_pipeline(**_: object) -> Pipeline:
    """The champion of the last run → ``starting_point`` and ``starting_weights``."""
    return Pipeline(
        [
            Node(
                take_champion,
                inputs=[
                    "previous_champion",
                    "previous_champion_pictures",
                    "backbone",
                    "splits",
                    "class_names",
                    "params:decoding",
                    "params:warm_start",
                ],
                outputs=["starting_point", "starting_weights"],
                name="take_champion",
            ),
        ],
        namespace="warm_start",
        prefix_datasets_with_namespace=False,
    )
