"""Wiring of the text classification."""

from kedro.pipeline import Node, Pipeline

from graft.pipelines.text_classification.nodes import (
    draw_text_confusion,
    draw_text_curves,
    measure_texts,
    predict_texts,
    split_texts,
    train_text_network,
    write_text_report,
)

_PARAMETERS = "params:text_classification"


def create_pipeline(**_: object) -> Pipeline:
    """``raw_texts`` → ``text_classifier``, ``text_metrics`` and ``text_report``."""
    return Pipeline(
        [
            Node(
                split_texts,
                inputs=["raw_texts", _PARAMETERS],
                outputs="text_splits",
                name="split_texts",
            ),
            Node(
                train_text_network,
                inputs=["raw_texts", "text_splits", "text_backup", "text_logs", _PARAMETERS],
                outputs=["text_classifier", "text_history"],
                name="train_text_network",
            ),
            Node(
                draw_text_curves,
                inputs="text_history",
                outputs="text_curves",
                name="draw_text_curves",
            ),
            Node(
                predict_texts,
                inputs=["text_classifier", "raw_texts", "text_splits", _PARAMETERS],
                outputs="text_predictions",
                name="predict_texts",
            ),
            Node(
                measure_texts,
                inputs=["text_predictions", "raw_texts", _PARAMETERS],
                outputs="text_metrics",
                name="measure_texts",
            ),
            Node(
                draw_text_confusion,
                inputs=["text_predictions", "raw_texts"],
                outputs="text_confusion",
                name="draw_text_confusion",
            ),
            Node(
                write_text_report,
                inputs=[
                    "text_metrics",
                    "text_predictions",
                    "raw_texts",
                    "text_confusion",
                    "text_curves",
                    "text_splits",
                    _PARAMETERS,
                ],
                outputs="text_report",
                name="write_text_report",
            ),
        ],
        namespace="text_classification",
        prefix_datasets_with_namespace=False,
    )
