"""Wiring of the search by AutoKeras: the candidate ``autokeras``."""

from kedro.pipeline import Node, Pipeline

from graft.pipelines.autokeras.nodes import search_with_autokeras
from graft.pipelines.candidates import Candidate, create_candidate_pipeline


def _create_training() -> list[Node]:
    return [
        Node(
            search_with_autokeras,
            inputs=["images", "splits", "class_names", "autokeras.backup", "params:autokeras"],
            outputs=["autokeras.classifier", "autokeras.history"],
            name="search_with_autokeras",
        ),
    ]


CANDIDATE = Candidate(
    "autokeras", "A network that AutoKeras found", _create_training, has_backbone=False
)


def create_pipeline(**_: object) -> Pipeline:
    """``images``, ``splits`` → the candidate ``autokeras``."""
    return create_candidate_pipeline(CANDIDATE)
