"""Wiring of the fine-tuning stage: the candidate ``fine_tuned``."""

from collections.abc import Mapping
from typing import Any

from kedro.pipeline import Node, Pipeline

from graft.pipelines.candidates import Candidate, create_candidate_pipeline, list_warm_inputs
from graft.pipelines.fine_tuning.folding import compare_on_folds
from graft.pipelines.fine_tuning.nodes import (
    draw_augmented_pictures,
    draw_recipe_race,
    fine_tune,
    store_boundary_activations,
)
from graft.pipelines.fine_tuning.predicting import (
    predict_from_pictures,
    store_measured_activations,
)
from graft.pipelines.fine_tuning.settling import settle_fine_tuning


def _create_training() -> list[Node]:
    return [
        Node(
            settle_fine_tuning,
            inputs=[
                "backbone",
                "head",
                "features",
                "images",
                "splits",
                "class_names",
                "fine_tuned.backup",
                "params:fine_tuning",
                *list_warm_inputs()[:1],
            ],
            outputs="fine_tuning_settled",
            name="settle_fine_tuning",
        ),
        Node(
            store_boundary_activations,
            inputs=[
                "backbone",
                "images",
                "image_origins",
                "splits",
                "previous_boundary_activations",
                "fine_tuning_settled",
                "params:fine_tuning",
                "params:forward",
                "forward_exports",
                "params:compute",
                "boundary_shards",
            ],
            outputs="boundary_activations",
            name="store_boundary_activations",
        ),
        Node(
            compare_on_folds,
            inputs=[
                "backbone",
                "features",
                "boundary_activations",
                "images",
                "splits",
                "class_names",
                "fine_tuning_settled",
                "fine_tuned.backup",
                "params:head_training",
                "params:fine_tuning",
                *list_warm_inputs()[:1],
            ],
            outputs="recipe_folds",
            name="compare_on_folds",
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
                "fine_tuning_settled",
                "recipe_folds",
                "fine_tuned.backup",
                "fine_tuned.logs",
                "params:fine_tuning",
                *list_warm_inputs(),
            ],
            outputs=[
                "fine_tuned.classifier",
                "fine_tuned.history",
                "fine_tuned_recipe",
                "recipe_race",
                "recipe_curves",
            ],
            name="fine_tune",
        ),
        Node(
            draw_recipe_race,
            inputs=["recipe_curves", "fine_tuned_recipe"],
            outputs="recipe_race_curves",
            name="draw_recipe_race",
        ),
        Node(
            draw_augmented_pictures,
            inputs=["images", "splits", "fine_tuning_settled", "params:fine_tuning"],
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
                "image_origins",
                "splits",
                "previous_measured_activations",
                "params:train_sample",
                "params:forward",
                "forward_exports",
                "params:compute",
                "measured_shards",
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
                "params:forward",
                "forward_exports",
            ],
            outputs="fine_tuned.predictions",
            name="predict_from_pictures",
        ),
    ]


def is_wanted(parameters: Mapping[str, Any]) -> bool:
    """Whether anything but the head is to be trained, by the parameters as they were given."""
    if parameters.get("recipe", "custom") == "custom":
        return parameters.get("unfreeze", 1) != "none"
    return bool(parameters["recipe"] != "head")


CANDIDATE = Candidate(
    "fine_tuned",
    "Fine-tuned: blocks of the backbone were trained too",
    _create_training,
    _create_predicting,
    is_wanted=lambda parameters: is_wanted(parameters["fine_tuning"]),
)


def create_pipeline(**_: object) -> Pipeline:
    """``backbone``, ``head``, ``images`` → the candidate ``fine_tuned``."""
    return create_candidate_pipeline(CANDIDATE)
