"""Wiring of the selection stage."""

from kedro.pipeline import Node, Pipeline

from graft.pipelines.candidates import bind, list_candidates, name_all
from graft.pipelines.selection.nodes import choose_classifier, collect_predictions


def create_pipeline(**_: object) -> Pipeline:
    """Predictions and classifiers of all candidates → those of the one that is best on dev."""
    names = [candidate.name for candidate in list_candidates()]
    return Pipeline(
        [
            Node(
                bind(collect_predictions, names=names),
                inputs=name_all("predictions"),
                outputs=["predictions", "chosen_predictions", "train_predictions"],
                name="collect_predictions",
            ),
            Node(
                bind(choose_classifier, names=names),
                inputs=[
                    "chosen_predictions",
                    "images",
                    "splits",
                    "params:selection",
                    *name_all("classifier"),
                ],
                outputs=["chosen_classifier", "classifier_check"],
                name="choose_classifier",
            ),
        ],
        namespace="selection",
        prefix_datasets_with_namespace=False,
    )
