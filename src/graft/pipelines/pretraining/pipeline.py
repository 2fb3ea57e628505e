"""Wiring of the pretraining stage: parameters in, weights of the small CNN out."""

from kedro.pipeline import Node, Pipeline

from graft.pipelines.pretraining.nodes import pretrain_backbone, render_printed_letters


def create_pipeline(**kwargs) -> Pipeline:
    """Render printed letters, then pretrain the small CNN on them."""
    return Pipeline(
        [
            Node(
                func=render_printed_letters,
                inputs="params:pretraining",
                outputs=["letter_images", "letter_labels"],
                name="render_printed_letters",
            ),
            Node(
                func=pretrain_backbone,
                inputs=["letter_images", "letter_labels", "params:pretraining"],
                outputs=["pretrained_weights", "pretraining_history"],
                name="pretrain_backbone",
            ),
        ]
    )
