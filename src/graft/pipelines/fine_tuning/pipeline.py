"""Wiring of the fine-tuning stage: the candidate ``fine_tuned``."""

from kedro.pipeline import Node, Pipeline

from graft.pipelines.candidates import Candidate, create_candidate_pipeline
from graft.pipelines.fine_tuning.nodes import (
    draw_augmented_pictures,
    fine_tune,
    store_boundary_activations,
)
from graft.pipelines.fine_tuning.predicting import (
    predict_from_pictures,
    store_measured_activations,
)


def _create_training() -> list[Node]:
    return [
        Node(
            store_boundary_activations,
            inputs=[
                "backbone",
                "images",
                "splits",
                "former_boundary_activations",
                "params:fine_tuning",
            ],
            outputs="boundary_activations",
            name="store_boundary_activations",
        ),
        Node(
            fine_tune,
            inputs=[
                "backbone",
                "head",
                "boundary_activations",
                "images",
                "splits",
                "class_names",
                "fine_tuned.backup",
                "fine_tuned.logs",
                "params:fine_tuning",
            ],
            outputs=["fine_tuned.classifier", "fine_tuned.history"],
            name="fine_tune",
        ),
        Node(
            draw_augmented_pictures,
            inputs=["images", "splits", "params:fine_tuning"],
            outputs="augmented_pictures",
            name="draw_augmented_pictures",
        ),
    ]


def _create_predicting() -> list[Node]:
    return [
        Node(
            store_measured_activations,
            inputs=[
                "fine_tuned.classifier",
                "images",
                "splits",
                "former_measured_activations",
                "params:train_sample",
            ],
            outputs="measured_activations",
            name="store_measured_activations",
        ),
        Node(
            predict_from_pictures,
            inputs=[
                "fine_tuned.classifier",
                "measured_activations",
                "images",
                "splits",
                "class_names",
                "params:train_sample",
            ],
            outputs="fine_tuned.predictions",
            name="predict_from_pictures",
        ),
    ]


CANDIDATE = Candidate(
    "fine_tuned",
    "Fine-tuned: the last blocks were trained too",
    _create_training,
    _create_predicting,
    is_wanted=lambda parameters: parameters["fine_tuning"]["unfreeze"] not in ("none", 0),
)


def create_pipeline(**_: object) -> Pipeline:
    """``backbone``, ``head``, ``images`` → the candidate ``fine_tuned``."""
    return create_candidate_pipeline(CANDIDATE)
