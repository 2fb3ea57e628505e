"""Wiring of the description of the backbone."""

from kedro.pipeline import Node, Pipeline

from graft.pipelines.describe_backbone.nodes import draw_backbone, tabulate_backbone


def create_pipeline(**_: object) -> Pipeline:
    """Parameters of the backbone → its blocks, layers, summary and graph."""
    return Pipeline(
        [
            Node(
                tabulate_backbone,
                inputs="params:backbone",
                outputs=["backbone_blocks", "backbone_layers", "backbone_summary"],
                name="tabulate_backbone",
            ),
            Node(
                draw_backbone,
                inputs=["params:backbone", "backbone_summary"],
                outputs="backbone_graph",
                name="draw_backbone",
            ),
        ],
        namespace="describe_backbone",
        prefix_datasets_with_namespace=False,
    )
