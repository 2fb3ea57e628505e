"""Wiring of the head training stage: the candidate ``frozen``."""

from kedro.pipeline import Node, Pipeline

from graft.pipelines.candidates import (
    Candidate,
    create_candidate_pipeline,
    list_warm_inputs,
    predict_from_features,
)
from graft.pipelines.head_training.nodes import (
    join_classifier,
    train_head,
)


def _create_training() -> list[Node]:
    return [
        Node(
            train_head,
            inputs=[
                "features",
                "images",
                "splits",
                "class_names",
                "frozen.backup",
                "frozen.logs",
                "params:head_training",
                *list_warm_inputs(),
            ],
            outputs=["head", "frozen.history"],
            name="train_head",
        ),
        Node(
            join_classifier,
            inputs=["backbone", "head"],
            outputs="frozen.classifier",
            name="join_classifier",
        ),
    ]


def _create_predicting() -> list[Node]:
    return [
        Node(
            predict_from_features,
            inputs=["features", "head", "splits", "class_names", "params:train_sample"],
            outputs="frozen.predictions",
            name="predict_from_features",
        ),
    ]


CANDIDATE = Candidate(
    "frozen", "Frozen backbone with a trained head", _create_training, _create_predicting
)


def create_pipeline(**_: object) -> Pipeline:
    """``features``, ``backbone`` → ``head`` and the candidate ``frozen``."""
    return create_candidate_pipeline(CANDIDATE)
