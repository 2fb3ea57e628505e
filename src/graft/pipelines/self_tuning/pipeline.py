"""Wiring of the fine-tuning on pictures without a label: the candidate ``self_tuned``."""

from kedro.pipeline import Node, Pipeline

from graft.pipelines.candidates import Candidate, create_candidate_pipeline
from graft.pipelines.self_tuning.nodes import tune_on_unlabelled
from graft.pipelines.unlabelled import create_unlabelled_pipeline


def _create_training() -> list[Node]:
    return [
        Node(
            tune_on_unlabelled,
            inputs=[
                "backbone",
                "head",
                "fine_tuned.classifier",
                "fine_tuned_recipe",
                "images",
                "features",
                "splits",
                "unlabelled_pixels",
                "unlabelled_features",
                "unlabelled_pictures",
                "self_tuned.backup",
                "params:fine_tuning",
                "params:self_training",
            ],
            outputs=[
                "self_tuned.classifier",
                "self_tuned.history",
                "self_tuned.unlabelled_verdict",
            ],
            name="tune_on_unlabelled",
        ),
    ]


CANDIDATE = Candidate(
    "self_tuned",
    "Fine-tuned on what the fine-tuned classifier thinks of pictures without a label too",
    _create_training,
    learns_unlabelled=True,
    needs="fine_tuned",
)


def create_pipeline(**_: object) -> Pipeline:
    """``fine_tuned.classifier``, ``unlabelled_pixels`` → the candidate ``self_tuned``."""
    return create_unlabelled_pipeline() + create_candidate_pipeline(CANDIDATE)
