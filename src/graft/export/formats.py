"""Formats of a network: how each is written, and how it is run to be checked.

All take pictures (N, H, W, channels) uint8 with their preprocessing inside, and give probabilities
(N, C) as trained and, where the network has them, features (N, D).
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from graft.errors import GraftError
from graft.fingerprints import get_backend

if TYPE_CHECKING:
    import keras

Run = Callable[[np.ndarray], list[np.ndarray]]
# Where the network lies in the folder of its format.
FILES = {
    "onnx": "model.onnx",
    "saved_model": "saved_model",
    "litert": "model.tflite",
    "litert_int8": "model.tflite",
}
# Of these an answer may differ from the champion's by rounding alone.
FLOATS = ("onnx", "saved_model", "litert")


def refuse_missing_libraries(formats: list[str]) -> None:
    """Refuse, before any work, another backend and a format whose libraries are not installed.

    Raises:
        GraftError: Names the first one.
    """
    if get_backend() != "tensorflow":
        raise GraftError(
            "all formats are written with TensorFlow; the classifier is the same file, so export "
            "it with `KERAS_BACKEND=tensorflow kedro run --pipelines=export`; got "
            f"KERAS_BACKEND={get_backend()}"
        )
    wanted = ("tf2onnx", "onnxruntime") if "onnx" in formats else ()
    for library in wanted:
        if not find_spec(library):
            raise GraftError(
                "the format onnx needs tf2onnx and ONNX Runtime; install them with `pip install -c "
                "constraints.txt -e '.[train]'`, or leave onnx out of export.formats; got no "
                f"module '{library}'"
            )


def convert(network: keras.Model, format_: str, folder: Path, calibration: np.ndarray) -> None:
    """Write a network in a format.

    Args:
        network: From pictures to a list of probabilities and, perhaps, features.
        format_: One of :data:`FILES`.
        folder: Where :data:`FILES` says it will lie.
        calibration: Pictures (n, H, W, channels) uint8, by which int8 finds the ranges of values.

    Raises:
        GraftError: If the network has operations that the format lacks.
    """
    import keras

    from graft.backends.onnx_conversion import convert_quietly, convert_to_onnx

    place = folder / FILES[format_]
    # Keras exports what has been called.
    network(np.zeros((1, *network.input_shape[1:]), np.uint8))
    signature = [
        keras.InputSpec(
            shape=network.inputs[0].shape, dtype=network.inputs[0].dtype, name="pictures"
        )
    ]
    with convert_quietly():
        if format_ == "onnx":
            place.write_bytes(convert_to_onnx(network, count=None))
            lacking = list_lacking(place)
            if lacking:
                raise _refuse_network(format_, ", ".join(lacking))
            number_names(place)
        elif format_ == "saved_model":
            network.export(place, format="tf_saved_model", verbose=False, input_signature=signature)
            # It numbers this very export, and is read by nobody: the same network is the same file.
            (place / "fingerprint.pb").unlink(missing_ok=True)
        else:
            place.write_bytes(_convert_to_litert(network, signature, folder, format_, calibration))


def list_lacking(file: Path) -> list[str]:
    """Operations in an ONNX file that ONNX lacks: the converter leaves them as they were."""
    import onnx

    nodes = onnx.load(file).graph.node
    return sorted({one.op_type for one in nodes if not onnx.defs.has(one.op_type, one.domain)})


def _refuse_network(format_: str, what: str) -> GraftError:
    return GraftError(
        f"the network has operations that {format_} lacks; leave it out of export.formats, or give "
        f"a network from scratch pictures of the size that it works on; got {what}"
    )


def number_names(file: Path) -> None:
    """Name what is inside an ONNX file by the order in which it is used.

    The converter's names and the order of its constants change with Python's hash seed; now the
    same network is the same file.
    """
    import onnx

    model = onnx.load(file)
    graph = model.graph
    kinds = {part.type for node in graph.node for part in node.attribute}
    if kinds & {onnx.AttributeProto.GRAPH, onnx.AttributeProto.GRAPHS}:
        return  # A graph within a graph uses its names too.
    names = {value.name: value.name for value in (*graph.input, *graph.output)}
    for place, node in enumerate(graph.node):
        node.name = f"{node.op_type}_{place}"
        for part in (node.input, node.output):
            # An input that is left out is called nothing.
            part[:] = [
                names.setdefault(name, f"value_{len(names)}") if name else "" for name in part
            ]
    order = {name: place for place, name in enumerate(names)}
    used = sorted(
        (one for one in graph.initializer if one.name in names), key=lambda one: order[one.name]
    )
    for constant in used:
        constant.name = names[constant.name]
    kept = [onnx.TensorProto.FromString(one.SerializeToString()) for one in used]
    del graph.initializer[:], graph.value_info[:]
    graph.initializer.extend(kept)
    onnx.checker.check_model(model)
    file.write_bytes(model.SerializeToString(deterministic=True))


def _convert_to_litert(
    network: keras.Model, signature: list, folder: Path, format_: str, calibration: np.ndarray
) -> bytes:
    import shutil

    from graft.backends.tensorflow_formats import LackingOperationError, convert_to_litert

    source = folder / "source"
    network.export(source, format="tf_saved_model", verbose=False, input_signature=signature)
    try:
        content = convert_to_litert(source, calibration if format_ == "litert_int8" else None)
    except LackingOperationError as error:
        raise _refuse_network(format_, str(error)) from error
    shutil.rmtree(source)
    return content


def open_format(format_: str, folder: Path) -> Run:
    """Open a network that was written by :func:`convert`; it takes any number of pictures."""
    place = folder / FILES[format_]
    if format_ == "onnx":
        import onnxruntime

        session = onnxruntime.InferenceSession(place, providers=["CPUExecutionProvider"])
        name = session.get_inputs()[0].name
        return lambda pictures: session.run(None, {name: pictures})
    from graft.backends.tensorflow_formats import open_litert, open_saved_model

    return open_saved_model(place) if format_ == "saved_model" else open_litert(place)
