"""Wiring of the exploration stage."""

from kedro.pipeline import Node, Pipeline

from graft.pipelines.exploration.nodes import (
    draw_contact_sheets,
    draw_index,
    draw_shortcut_scores,
    draw_suspects,
    find_shortcuts,
    profile_index,
    rank_outliers,
    summarise_classes,
    write_exploration_report,
)

_REPORTED = [
    "image_index",
    "class_summary",
    "duplicates",
    "label_conflicts",
    "outliers",
    "shortcuts",
    "contact_sheets",
    "class_counts",
    "picture_sizes",
    "class_spread",
    "shortcut_scores",
    "outlier_pictures",
    "conflict_pictures",
]


def create_pipeline(**_: object) -> Pipeline:
    """``image_index``, ``duplicates``, ``raw_images`` → tables, figures, ``exploration_report``."""
    return Pipeline(
        [
            Node(
                summarise_classes,
                inputs=["image_index"],
                outputs="class_summary",
                name="summarise_classes",
            ),
            Node(
                draw_index,
                inputs=["image_index", "class_summary", "params:exploration"],
                outputs=["class_counts", "picture_sizes", "class_spread"],
                name="draw_index",
            ),
            Node(
                rank_outliers,
                inputs=["image_index", "params:exploration"],
                outputs="outliers",
                name="rank_outliers",
            ),
            Node(
                find_shortcuts,
                inputs=["image_index", "params:exploration"],
                outputs="shortcuts",
                name="find_shortcuts",
            ),
            Node(
                draw_shortcut_scores,
                inputs=["shortcuts", "params:exploration"],
                outputs="shortcut_scores",
                name="draw_shortcut_scores",
            ),
            Node(
                draw_suspects,
                inputs=[
                    "raw_images",
                    "image_index",
                    "outliers",
                    "label_conflicts",
                    "params:exploration",
                ],
                outputs=["outlier_pictures", "conflict_pictures"],
                name="draw_suspects",
            ),
            Node(
                draw_contact_sheets,
                inputs=["raw_images", "image_index", "class_summary", "params:exploration"],
                outputs="contact_sheets",
                name="draw_contact_sheets",
            ),
            Node(
                profile_index,
                inputs=["image_index", "params:exploration"],
                outputs="index_profile",
                name="profile_index",
            ),
            Node(
                write_exploration_report,
                inputs=[*_REPORTED, "params:exploration"],
                outputs="exploration_report",
                name="write_exploration_report",
            ),
        ],
        namespace="exploration",
        prefix_datasets_with_namespace=False,
    )
