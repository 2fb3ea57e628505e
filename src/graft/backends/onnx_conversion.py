"""Networks of Keras as ONNX models, through the graphs of TensorFlow."""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

from graft.backends.on_tensorflow import trace_gradient

# Of a function within the graph that TensorFlow does not dissolve into it: Keras gives them to
# grouped convolutions, as of ConvNeXt, which TensorFlow can only compute compiled on a CPU.
_KEEPING_APART = ("_XlaMustCompile", "_noinline")


def convert_to_onnx(network: keras.Model, count: int | None = 1) -> bytes:
    """Write a network as an ONNX model.

    Constants that layers hold, such as those of ``Normalization`` in EfficientNet, are frozen into
    the graph beside the weights; ``model.export`` would make them inputs that nobody has.

    Args:
        network: Any model of one input.
        count: Pictures that it takes; None for any number.

    Returns:
        The model, with the input ``pictures`` and the outputs ``output_0`` and so on.

    Raises:
        Exception: Of many kinds, where the converter does not know what the network does.
    """
    pictures = tf.TensorSpec(
        (count, *network.input_shape[1:]), network.inputs[0].dtype, name="pictures"
    )
    traced = tf.function(
        lambda pictures: network(pictures, training=False),
        input_signature=[pictures],
        autograph=False,
    )
    model = convert_function(traced)
    if count is None:
        # The converter would number this dimension, and differently every time.
        for value in (*model.graph.input, *model.graph.output):
            value.type.tensor_type.shape.dim[0].dim_param = "N"
    content: bytes = model.SerializeToString()
    return content


def convert_function(
    function: Any, opset: int | None = None, handlers: Mapping[str, Any] | None = None
) -> Any:
    """Write a function of TensorFlow as an ONNX model; what it holds becomes part of the graph.

    Args:
        function: A ``tf.function`` with an input signature, whose parts have names.
        opset: Version of ONNX's operations; None takes the converter's.
        handlers: Of tf2onnx, of operations that it does not know.

    Returns:
        The model, as onnx has it. Its inputs have the names of the signature, its outputs are
        ``output_0`` and so on.
    """
    import tf2onnx  # of the extra `train`, which not every format needs

    with convert_quietly():
        frozen = convert_variables_to_constants_v2(function.get_concrete_function())
        graph = frozen.graph.as_graph_def()
        _dissolve_functions(graph)
        inputs, outputs = ([part.name for part in side] for side in (frozen.inputs, frozen.outputs))
        names = {name: name.partition(":")[0] for name in inputs}
        names |= {name: f"output_{place}" for place, name in enumerate(outputs)}
        model, _ = tf2onnx.convert.from_graph_def(
            graph,
            input_names=inputs,
            output_names=outputs,
            opset=opset,
            tensors_to_rename=names,
            custom_op_handlers={"Erfc": (_write_erfc, []), **(handlers or {})},
        )
    return model


def convert_gradient(
    network: keras.Model,
    score: Callable[..., Any],
    finish: Callable[..., Any],
    opset: int,
    handlers: Mapping[str, Any],
) -> Any:
    """Write :meth:`graft.backends.backend.Backend.compile_gradient` as an ONNX model.

    Args:
        network: As there.
        score: As there, of the output and class indices.
        finish: As there.
        opset: Version of ONNX's operations.
        handlers: Of tf2onnx, of the gradients of operations.

    Returns:
        The model, of the inputs ``pictures``, one (1, H, W, channels), and ``classes``, int64 (1,).
    """
    signature = [
        tf.TensorSpec((1, *network.input_shape[1:]), network.inputs[0].dtype, name="pictures"),
        tf.TensorSpec((1,), tf.int64, name="classes"),
    ]
    traced = tf.function(
        lambda pictures, classes: trace_gradient(network, score, finish, pictures, classes),
        input_signature=signature, autograph=False,
    )  # fmt: skip
    return convert_function(traced, opset, handlers)


def _write_erfc(graph: Any, node: Any, name: str, arguments: list) -> None:
    """Write the complement of the error function, of which GELU is made, as 1 − erf: ONNX has erf.

    Args:
        graph: Of tf2onnx, which calls this as a handler of an operation that it does not know.
        node: Of the operation.
        name: Of the node.
        arguments: None are given.
    """
    shapes, types = node.output_shapes, node.output_dtypes
    outputs = list(node.output)
    graph.remove_node(name)
    one = graph.make_const(f"{name}_one", np.ones((), np.float32))
    erf = graph.make_node("Erf", node.input, shapes=shapes, dtypes=types)
    graph.make_node(
        "Sub",
        [one.output[0], erf.output[0]],
        name=name, outputs=outputs, shapes=shapes, dtypes=types,
    )  # fmt: skip


def _dissolve_functions(graph: Any) -> None:
    """Let the converter write the functions of a graph out where they are called."""
    functions = graph.library.function
    nodes = [node for function in functions for node in function.node_def]
    for part in (*graph.node, *functions, *nodes):
        for name in _KEEPING_APART:
            part.attr.pop(name, None)


@contextlib.contextmanager
def convert_quietly() -> Iterator[None]:
    """Converters talk; what they say of a failure is in its exception."""
    levels = {log: log.level for log in map(logging.getLogger, ("tensorflow", "tf2onnx"))}
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        for log in levels:
            log.setLevel(logging.CRITICAL)
        try:
            yield
        finally:
            for log, level in levels.items():
                log.setLevel(level)
