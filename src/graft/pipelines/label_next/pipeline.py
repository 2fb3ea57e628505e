"""Wiring of the stage that chooses pictures to label."""

from kedro.pipeline import Node, Pipeline

from graft.pipelines.label_next.nodes import (
    choose_pictures_to_label,
    draw_pictures_to_label,
    foretell_label_gain,
)
from graft.pipelines.unlabelled import create_unlabelled_pipeline


def create_pipeline(**_: object) -> Pipeline:
    """``image_index``, ``features``, ``splits`` → ``label_next``, its sheet and ``label_gain``."""
    own = Pipeline(
        [
            Node(
                choose_pictures_to_label,
                inputs=[
                    "unlabelled_features",
                    "unlabelled_pictures",
                    "features",
                    "splits",
                    "class_names",
                    "applied_reviews",
                    "params:label_next",
                ],
                outputs="label_next",
                name="choose_pictures_to_label",
            ),
            Node(
                foretell_label_gain,
                inputs=["features", "splits", "applied_reviews", "params:label_next"],
                outputs="label_gain",
                name="foretell_label_gain",
            ),
            Node(
                draw_pictures_to_label,
                inputs=[
                    "unlabelled_pixels",
                    "unlabelled_pictures",
                    "label_next",
                    "params:label_next",
                ],
                outputs="label_next_sheet",
                name="draw_pictures_to_label",
            ),
        ],
        namespace="label_next",
        prefix_datasets_with_namespace=False,
    )
    return create_unlabelled_pipeline() + own
