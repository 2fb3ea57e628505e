"""Wiring of the prediction pipeline."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kedro.pipeline import Node, Pipeline

from graft.pipelines.prediction.nodes import (
    extract_layer,
    extract_layer_of_unlabelled,
    lay_out_array,
    predict_pictures,
    predict_unlabelled,
)

# What the parameters of the run ask for; Kedro builds pipelines before it knows them.
_asked: Mapping[str, Any] = {}


def choose_prediction(parameters: Mapping[str, Any]) -> None:
    """Say what the pipeline of this process reads and makes.

    Args:
        parameters: Of the run; of ``prediction`` count ``source`` and ``layer``.
    """
    global _asked
    _asked = parameters.get("prediction") or {}


def create_pipeline(**_: object) -> Pipeline:
    """``prediction_source``, ``champion_in_use`` → answers, or outputs of a layer.

    Without a source ``raw_images`` and ``unlabelled_images`` are read instead.
    """
    from_index = "source" in _asked and _asked["source"] is None
    pictures = ["raw_images", "unlabelled_images"] if from_index else ["prediction_source"]
    settings = [
        "params:prediction", "params:forward", "forward_exports", "params:compute",
        "prediction_shards",
    ]  # fmt: skip
    predict = predict_unlabelled if from_index else predict_pictures
    extract = extract_layer_of_unlabelled if from_index else extract_layer
    if _asked.get("layer") is None:
        nodes = [
            Node(
                predict,
                inputs=[
                    *pictures,
                    "champion_in_use",
                    "previous_predicted_pictures",
                    *settings,
                ],
                outputs=["predicted_pictures", "predicted_pictures_list"],
                name=predict.__name__,
            )
        ]
    else:
        nodes = [
            Node(
                extract,
                inputs=[*pictures, "champion_in_use", *settings],
                outputs=["layer_features", "layer_features_shape"],
                name=extract.__name__,
            ),
            Node(
                lay_out_array,
                inputs=["layer_features", "layer_features_shape"],
                outputs="layer_features_array",
                name="lay_out_array",
            ),
        ]
    return Pipeline(nodes, namespace="prediction", prefix_datasets_with_namespace=False)
