"""Wiring of the training from scratch: the candidate ``from_scratch``."""

from kedro.pipeline import Node, Pipeline

from graft.pipelines.candidates import Candidate, create_candidate_pipeline
from graft.pipelines.from_scratch.nodes import NO_NETWORK, train_network


def _create_training() -> list[Node]:
    return [
        Node(
            train_network,
            inputs=[
                "images",
                "splits",
                "class_names",
                "from_scratch.backup",
                "from_scratch.logs",
                "params:from_scratch",
            ],
            outputs=["from_scratch.classifier", "from_scratch.history"],
            name="train_network",
        ),
    ]


CANDIDATE = Candidate(
    "from_scratch",
    "A network trained from scratch",
    _create_training,
    is_wanted=lambda parameters: parameters["from_scratch"]["network"] != NO_NETWORK,
    has_backbone=False,
)


def create_pipeline(**_: object) -> Pipeline:
    """``images``, ``splits`` → the candidate ``from_scratch``."""
    return create_candidate_pipeline(CANDIDATE)
