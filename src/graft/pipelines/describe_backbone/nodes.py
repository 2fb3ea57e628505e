"""Nodes that describe the backbone; none of them needs a picture or pretrained weights."""

from __future__ import annotations

import logging
import shutil
from importlib.util import find_spec

import pandas as pd

from graft.errors import GraftError
from graft.parameters.base import BackboneParameters
from graft.types import KerasModel

_WIDTH = 80
logger = logging.getLogger(__name__)


def tabulate_backbone(backbone: BackboneParameters) -> tuple[pd.DataFrame, pd.DataFrame, str]:
    """Tell what the backbone is made of, and print its blocks.

    Returns:
        ``backbone_blocks``: see :func:`graft.models.blocks.tabulate_blocks`.
        ``backbone_layers``: a row a layer: ``layer``, ``kind``, ``block``, ``output``,
        ``parameters``. ``backbone_summary``: Keras' own.

    Raises:
        GraftError: If the network is unknown or the pictures are too small for it.
    """
    from graft.models.blocks import find_blocks, tabulate_blocks

    model = _build(backbone)
    blocks = find_blocks(model)
    table = tabulate_blocks(blocks)
    logger.info("%s at %d×%d pixels\n", backbone.name, backbone.image_size, backbone.image_size)
    for line in format_blocks(table):
        logger.info(line)
    block_of = {layer: block.name for block in blocks for layer in block.layers}
    layers = pd.DataFrame(
        {
            "layer": [layer.name for layer in model.layers],
            "kind": [type(layer).__name__ for layer in model.layers],
            "block": [block_of.get(layer.name, "") for layer in model.layers],
            "output": [_describe_shape(layer) for layer in model.layers],
            "parameters": [layer.count_params() for layer in model.layers],
        }
    )
    lines: list[str] = []
    model.summary(line_length=_WIDTH, print_fn=lambda text, **_: lines.append(text))
    return table, layers, "\n".join(lines) + "\n"


def draw_backbone(backbone: BackboneParameters, backbone_summary: str) -> str:
    """Draw the graph of the backbone with the shapes of its tensors.

    Args:
        backbone: Which network.
        backbone_summary: Makes this node the last: what needs no drawing program is saved.

    Returns:
        ``backbone_graph``: an SVG document.

    Raises:
        GraftError: If Graphviz or pydot is not installed.
    """
    import keras

    missing = [
        name
        for name, found in {"pydot": find_spec("pydot"), "Graphviz": shutil.which("dot")}.items()
        if not found
    ]
    if missing:
        raise GraftError(
            "the drawing of the backbone needs pydot (pip install pydot) and Graphviz (its "
            "program 'dot' on PATH, in most systems the package graphviz); the tables of blocks "
            f"and layers and the summary are made; not found: {' and '.join(missing)}"
        )
    # What `plot_model` draws; it writes to a file only, and shows that file wherever IPython is.
    graph = keras.utils.model_to_dot(_build(backbone), show_shapes=True, show_layer_names=True)
    return graph.create(format="svg").decode()


def format_blocks(table: pd.DataFrame) -> list[str]:
    """The table of blocks as lines of at most 80 columns.

    Args:
        table: As given by :func:`graft.models.blocks.tabulate_blocks`.
    """
    lines = [
        f"{'':<24}{'':>15}{'':>12}   multiply-adds: this block",
        f"{'block':<24}{'output':>15}{'parameters':>12}{'millions':>10}{'share':>7}"
        f"{'and after':>11}",
    ]
    for row in table.to_dict("records"):
        lines.append(
            f"{row['block'][:23]:<24}{row['output']:>15}{row['parameters']:>12,}"
            f"{row['multiply_adds'] / 1e6:>10.1f}{row['share']:>7.1%}{row['tail_share']:>11.1%}"
        )
    return lines


def _build(backbone: BackboneParameters) -> KerasModel:
    from graft.models.backbones import build_backbone

    return build_backbone(backbone.name, backbone.image_size, "random", backbone.seed)


def _describe_shape(layer: object) -> str:
    # For the type checker: Keras keeps a layer's place in a graph to itself, without a type.
    shape = layer._inbound_nodes[0].output_tensors[0].shape  # type: ignore[attr-defined]
    return "×".join(str(side) for side in shape[1:])
