"""Wiring of the pretraining stage."""

from kedro.pipeline import Node, Pipeline

from graft.pipelines.pretraining.nodes import pretrain_backbone, render_printed_letters


def create_pipeline(**_: object) -> Pipeline:
    """Parameters only → ``letter_images``, ``pretrained_weights`` and their tables."""
    return Pipeline(
        [
            Node(
                render_printed_letters,
                inputs="params:pretraining",
                outputs=["letter_images", "letter_labels"],
                name="render_printed_letters",
            ),
            Node(
                pretrain_backbone,
                inputs=["letter_images", "letter_labels", "params:pretraining"],
                outputs=["pretrained_weights", "pretraining_history"],
                name="pretrain_backbone",
            ),
        ],
        namespace="pretraining",
        prefix_datasets_with_namespace=False,
    )
