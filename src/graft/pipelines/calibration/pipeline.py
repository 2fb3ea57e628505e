"""Wiring of the calibration stage."""

from kedro.pipeline import Node, Pipeline

from graft.pipelines.calibration.nodes import (
    calibrate,
    draw_abstention_curve,
    draw_reliability_diagram,
)


def create_pipeline(**_: object) -> Pipeline:
    """``chosen_predictions``, ``splits`` → ``calibration`` and its figures."""
    return Pipeline(
        [
            Node(
                calibrate,
                inputs=["chosen_predictions", "splits", "class_names", "params:calibration"],
                outputs="calibration",
                name="calibrate",
            ),
            Node(
                draw_reliability_diagram,
                inputs="calibration",
                outputs="reliability_diagram",
                name="draw_reliability_diagram",
            ),
            Node(
                draw_abstention_curve,
                inputs="calibration",
                outputs="abstention_curve",
                name="draw_abstention_curve",
            ),
        ],
        namespace="calibration",
        prefix_datasets_with_namespace=False,
    )
