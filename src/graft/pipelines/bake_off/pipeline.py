"""Wiring of the bake-off."""

from kedro.pipeline import Node, Pipeline

from graft.pipelines.bake_off.nodes import draw_bake_off, probe_backbones


def create_pipeline(**_: object) -> Pipeline:
    """``raw_images``, ``splits`` → ``bake_off_results`` and their figure."""
    return Pipeline(
        [
            Node(
                probe_backbones,
                inputs=[
                    "raw_images",
                    "splits",
                    "class_names",
                    "bake_off_backup",
                    "params:backbone",
                    "params:decoding",
                    "params:head_training",
                    "params:fine_tuning",
                    "params:bake_off",
                ],
                outputs="bake_off_results",
                name="probe_backbones",
            ),
            Node(
                draw_bake_off,
                inputs="bake_off_results",
                outputs="bake_off_figure",
                name="draw_bake_off",
            ),
        ],
        namespace="bake_off",
        prefix_datasets_with_namespace=False,
    )
