"""Wiring of the ensemble of folds: the candidate ``frozen_folds``."""

from kedro.pipeline import Node, Pipeline

from graft.pipelines.candidates import (
    Candidate,
    create_candidate_pipeline,
    predict_from_features,
)
from graft.pipelines.fold_ensemble.nodes import train_fold_heads


def _create_training() -> list[Node]:
    return [
        Node(
            train_fold_heads,
            inputs=[
                "features",
                "backbone",
                "splits",
                "class_names",
                "frozen_folds.backup",
                "params:head_training",
                "params:fold_ensemble",
            ],
            outputs=["fold_heads", "frozen_folds.classifier", "frozen_folds.history"],
            name="train_fold_heads",
        ),
    ]


def _create_predicting() -> list[Node]:
    return [
        Node(
            predict_from_features,
            inputs=["features", "fold_heads", "splits", "class_names", "params:train_sample"],
            outputs="frozen_folds.predictions",
            name="predict_from_features",
        ),
    ]


CANDIDATE = Candidate(
    "frozen_folds",
    "Frozen backbone with the mean of the heads of all folds",
    _create_training,
    _create_predicting,
)


def create_pipeline(**_: object) -> Pipeline:
    """``features``, ``backbone`` → ``fold_heads`` and the candidate ``frozen_folds``."""
    return create_candidate_pipeline(CANDIDATE)
