"""Wiring of the training on pictures without a label: the candidate ``self_trained``."""

from kedro.pipeline import Node, Pipeline

from graft.pipelines.candidates import (
    Candidate,
    create_candidate_pipeline,
    predict_from_features,
)
from graft.pipelines.self_training.nodes import train_on_unlabelled
from graft.pipelines.unlabelled import create_unlabelled_pipeline


def _create_training() -> list[Node]:
    return [
        Node(
            train_on_unlabelled,
            inputs=[
                "features",
                "unlabelled_features",
                "unlabelled_pictures",
                "backbone",
                "splits",
                "class_names",
                "params:self_training",
            ],
            outputs=[
                "self_trained_head",
                "self_trained.classifier",
                "self_trained.history",
                "self_trained.unlabelled_verdict",
            ],
            name="train_on_unlabelled",
        ),
    ]


def _create_predicting() -> list[Node]:
    return [
        Node(
            predict_from_features,
            inputs=[
                "features",
                "self_trained_head",
                "splits",
                "class_names",
                "params:train_sample",
            ],
            outputs="self_trained.predictions",
            name="predict_from_features",
        ),
    ]


CANDIDATE = Candidate(
    "self_trained",
    "Frozen backbone with a head that learnt from pictures without a label too",
    _create_training,
    _create_predicting,
    learns_unlabelled=True,
)


def create_pipeline(**_: object) -> Pipeline:
    """``image_index``, ``features``, ``backbone`` → the candidate ``self_trained``."""
    return create_unlabelled_pipeline() + create_candidate_pipeline(CANDIDATE)
