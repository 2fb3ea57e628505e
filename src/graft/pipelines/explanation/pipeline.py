"""Wiring of the explanation stage."""

from kedro.pipeline import Node, Pipeline

from graft.pipelines.explanation.nodes import (
    draw_explained_pictures,
    draw_heat_maps,
    explain_pictures,
    select_pictures,
)


def create_pipeline(**_: object) -> Pipeline:
    """``chosen_classifier``, its predictions, ``images``, ``features`` → ``explanations``."""
    return Pipeline(
        [
            Node(
                select_pictures,
                inputs=["chosen_predictions", "splits", "class_names", "params:explanation"],
                outputs="picture_selection",
                name="select_pictures",
            ),
            Node(
                draw_heat_maps,
                inputs=[
                    "picture_selection",
                    "images",
                    "class_names",
                    "chosen_classifier",
                ],
                outputs=["heat_maps", "heat_map_layer"],
                name="draw_heat_maps",
            ),
            Node(
                explain_pictures,
                inputs=[
                    "picture_selection",
                    "heat_map_layer",
                    "features",
                    "splits",
                    "params:explanation",
                ],
                outputs="explanations",
                name="explain_pictures",
            ),
            Node(
                draw_explained_pictures,
                inputs=["explanations", "heat_maps", "images"],
                outputs="explained_pictures",
                name="draw_explained_pictures",
            ),
        ],
        namespace="explanation",
        prefix_datasets_with_namespace=False,
    )
