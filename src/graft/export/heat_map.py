"""Grad-CAM as a network that runs without Keras: its gradient is written out as ONNX."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from graft.export.formats import list_lacking, number_names

if TYPE_CHECKING:
    from graft.models.grad_cam import FeatureMap

# Has all operations of Grad-CAM, and is read by ONNX Runtime from 1.14 on.
_OPSET = 18


def convert_heat_map(feature_map: FeatureMap, file: Path) -> list[str]:
    """Write Grad-CAM, :mod:`graft.models.grad_cam`, as ONNX.

    It takes one picture (1, H, W, channels) uint8 and a class, int64 (1,), and gives heat
    (1, h, w), float32, 0 to 1. The number of pictures is fixed, for of shapes that are known the
    gradient needs no more operations than ONNX has.

    Args:
        feature_map: As of :func:`~graft.models.grad_cam.find_last_map`.
        file: Where it is written.

    Returns:
        The operations that ONNX lacks, in which case nothing is written; else none.
    """
    import onnx

    from graft.backends.onnx_conversion import convert_gradient
    from graft.models.grad_cam import score_class, weigh_maps

    model = convert_gradient(feature_map.network, score_class, weigh_maps, _OPSET, _GRADIENTS)
    onnx.save(model, file)
    lacking = list_lacking(file)
    if lacking:
        file.unlink()
    else:
        number_names(file)
    return lacking


def _convert_relu_gradient(graph: Any, node: Any, name: str, arguments: list) -> None:
    """``ReluGrad``: the gradient, where the value is above 0."""
    gradient, value = node.input
    kind, shape = graph.get_dtype(node.output[0]), graph.get_shape(node.output[0])
    outputs = list(node.output)
    graph.remove_node(node.name)
    sign = graph.make_node("Sign", [graph.make_node("Relu", [value]).output[0]])
    graph.make_node(
        "Mul", [gradient, sign.output[0]], outputs=outputs, name=node.name, dtypes=[kind],
        shapes=[shape],
    )  # fmt: skip


def _convert_pool_gradient(graph: Any, node: Any, name: str, arguments: list) -> None:
    """``MaxPoolGrad``: the gradient, where each window has its highest value."""
    size, step = (list(node.get_attr(which).ints)[1:3] for which in ("ksize", "strides"))
    if any(length < width for length, width in zip(step, size, strict=True)):
        return  # A place in two windows would get two gradients: it stays as it is, unknown.
    pad = node.get_attr("padding").s.decode()
    value, _, gradient = node.input
    kind, shape = graph.get_dtype(node.output[0]), graph.get_shape(node.output[0])
    outputs = list(node.output)
    graph.remove_node(node.name)
    to_front, to_back = {"perm": [0, 3, 1, 2]}, {"perm": [0, 2, 3, 1]}
    value, gradient = (
        graph.make_node("Transpose", [tensor], attr=to_front).output[0]
        for tensor in (value, gradient)
    )
    windows = {"kernel_shape": size, "strides": step}
    pooled = graph.make_node(
        "MaxPool", [value], output_count=2,
        attr={**windows, "auto_pad": "VALID" if pad == "VALID" else "SAME_UPPER"},
    )  # fmt: skip
    batch, height, width, channels = shape
    whole = graph.make_const(
        f"{node.name}_shape", np.array([batch, channels, height, width], np.int64)
    )
    spread = graph.make_node(
        "MaxUnpool", [gradient, pooled.output[1], whole.output[0]], attr=windows
    )
    graph.make_node(
        "Transpose", [spread.output[0]], attr=to_back, outputs=outputs, name=node.name,
        dtypes=[kind], shapes=[shape],
    )  # fmt: skip


def _convert_bias_gradient(graph: Any, node: Any, name: str, arguments: list) -> None:
    """``BiasAddGrad``: the gradient, summed over all but the channels."""
    (gradient,) = node.input
    kind, shape = graph.get_dtype(node.output[0]), graph.get_shape(node.output[0])
    outputs, axes = list(node.output), range(len(graph.get_shape(gradient)) - 1)
    graph.remove_node(node.name)
    summed = graph.make_const(f"{node.name}_axes", np.array(axes, np.int64))
    graph.make_node(
        "ReduceSum", [gradient, summed.output[0]], attr={"keepdims": 0}, outputs=outputs,
        name=node.name, dtypes=[kind], shapes=[shape],
    )  # fmt: skip


# Gradients of what stands behind the last map of a network that the converter does not know.
_GRADIENTS: dict[str, tuple[Callable[..., None], list]] = {
    "BiasAddGrad": (_convert_bias_gradient, []),
    "ReluGrad": (_convert_relu_gradient, []),
    "MaxPoolGrad": (_convert_pool_gradient, []),
}
