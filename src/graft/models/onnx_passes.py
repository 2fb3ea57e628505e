"""A network on ONNX Runtime: converted without its framework's leftovers, run picture by picture.

On a CPU ONNX Runtime passes pictures through MobileNetV2 or EfficientNet about twice as fast as
TensorFlow does. A picture is a pass of its own, on one thread; as many pass at once as there are
threads. So its output depends neither on its neighbours nor on the number of processors, and its
activations stay in the cache of one of them.
"""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np

from graft.compute.streams import count_workers

if TYPE_CHECKING:
    import keras

Run = Callable[[np.ndarray], np.ndarray]
LIBRARIES = ("tf2onnx", "onnxruntime")
# Of a function within the graph that TensorFlow does not dissolve into it: Keras gives them to
# grouped convolutions, as of ConvNeXt, which TensorFlow can only compute compiled on a CPU.
_KEEPING_APART = ("_XlaMustCompile", "_noinline")


def find_missing_library() -> str | None:
    """The first library that is missing for this; None if all are there."""
    return next((name for name in LIBRARIES if not find_spec(name)), None)


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
    import tensorflow as tf

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
    import tf2onnx
    from tensorflow.python.framework.convert_to_constants import (
        convert_variables_to_constants_v2,
    )

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


def open_passes(content: bytes, output_shape: tuple[int, ...], threads: int | None = None) -> Run:
    """Open a network that :func:`convert_to_onnx` wrote.

    Args:
        content: The ONNX model.
        output_shape: Of one picture.
        threads: Pictures at a time; None for as many as TensorFlow would have threads.

    Returns:
        Function from pictures (n, …) to float32 (n, …).

    Raises:
        Exception: Of a kind of ONNX Runtime's, if it does not take the model.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    (given,) = session.get_inputs()
    pool = ThreadPoolExecutor(threads or _count_threads(), "passes")

    def run_one(picture: np.ndarray) -> np.ndarray:
        found: np.ndarray = session.run(None, {given.name: picture[np.newaxis]})[0][0]
        return found

    def run(pictures: np.ndarray) -> np.ndarray:
        found = np.empty((len(pictures), *output_shape), np.float32)
        for place, output in enumerate(pool.map(run_one, pictures)):
            found[place] = output
        return found

    return run


def _count_threads() -> int:
    """As many as TensorFlow would take, had it the work."""
    import tensorflow as tf

    return tf.config.threading.get_intra_op_parallelism_threads() or count_workers()


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
