"""Requests and answers of the Open Inference Protocol: tensors as JSON, or as bytes behind it.

Source: the protocol's version 2, and its extension for binary tensor data, which Triton's clients
use: the body is JSON of so many bytes as a header says, and after it come the tensors.
"""

from __future__ import annotations

import json
import math
from typing import Any, NamedTuple

import numpy as np
from starlette.responses import JSONResponse, Response

from graft.serving.engine import Model
from graft.serving.uploads import Refusal

LENGTH_HEADER = "Inference-Header-Content-Length"
INPUT, OUTPUT = "pictures", "probabilities"


class Asked(NamedTuple):
    """A request for inference.

    Attributes:
        pixels: Pictures (n, H, W, channels), uint8.
        id: What the client calls the request; None if it does not.
        is_binary: Whether it wants its answer as bytes.
    """

    pixels: np.ndarray
    id: str | None
    is_binary: bool


def read_tensor(content: bytes, length: str | None, model: Model, most: int) -> Asked:
    """Read a request for inference.

    Args:
        content: Body of the request.
        length: Bytes of it that are JSON, as the header says; all of it if None.
        model: Whose input is expected.
        most: Pictures that it may have.

    Raises:
        Refusal: If it is not what the protocol says.
    """
    end = len(content) if length is None else int(length) if length.isdecimal() else -1
    if not 0 <= end <= len(content):
        raise Refusal(400, f"{LENGTH_HEADER} is the number of bytes that are JSON; got '{length}'")
    try:
        asked = json.loads(content[:end])
        (given,) = asked["inputs"]
        name, kind, shape = given["name"], given["datatype"], tuple(map(int, given["shape"]))
        size = given.get("parameters", {}).get("binary_data_size")
        data = given["data"] if size is None else content[end:]
        is_binary = _wants_bytes(asked)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, OverflowError):
        raise Refusal(
            400, "a request has one of 'inputs' with 'name', 'datatype', 'shape' and 'data'"
        ) from None
    if (name, kind, shape[1:]) != (INPUT, "UINT8", model.picture_shape) or not (
        1 <= shape[0] <= most
    ):
        raise Refusal(
            400,
            f"the input is '{INPUT}', UINT8, of shape [1 to {most}, "
            f"{', '.join(map(str, model.picture_shape))}]",
        )
    pixels = _read_numbers(data, shape) if size is None else _read_bytes(data, size, shape)
    return Asked(pixels, str(asked["id"]) if "id" in asked else None, is_binary)


def _wants_bytes(asked: dict[str, Any]) -> bool:
    """Whether the answer is to be bytes: said of the output, or of the request."""
    by_default = bool(asked.get("parameters", {}).get("binary_data_output", False))
    outputs = asked.get("outputs", [{"name": OUTPUT}])
    if [output["name"] for output in outputs] != [OUTPUT]:
        raise Refusal(400, f"the output is '{OUTPUT}'")
    return bool(outputs[0].get("parameters", {}).get("binary_data", by_default))


def _read_numbers(data: Any, shape: tuple[int, ...]) -> np.ndarray:
    try:
        numbers = np.asarray(data, dtype=np.int64).ravel()
        is_whole = numbers.size == math.prod(shape) and 0 <= numbers.min() <= numbers.max() <= 255
    except (ValueError, TypeError, OverflowError):
        is_whole = False
    if not is_whole:
        raise Refusal(400, f"'data' is {math.prod(shape):,} whole numbers from 0 to 255")
    return numbers.astype(np.uint8).reshape(shape)


def _read_bytes(data: bytes, size: Any, shape: tuple[int, ...]) -> np.ndarray:
    if size != len(data) or len(data) != math.prod(shape):
        raise Refusal(
            400, f"'binary_data_size' and the bytes after the JSON are {math.prod(shape):,}"
        )
    return np.frombuffer(data, np.uint8).reshape(shape)


def write_probabilities(found: np.ndarray, asked: Asked, name: str, model: Model) -> Response:
    """The answer to a request for inference.

    Args:
        found: Calibrated probabilities (n, C), float32.
        asked: What was asked.
        name: Of the model.
        model: That answered.
    """
    output: dict[str, Any] = {"name": OUTPUT, "datatype": "FP32", "shape": list(found.shape)}
    said: dict[str, Any] = {"model_name": name, "model_version": model.exported.digest}
    if asked.id is not None:
        said["id"] = asked.id
    headers = {"X-Graft-Model": model.exported.digest}
    if not asked.is_binary:
        output["data"] = found.ravel().tolist()
        return JSONResponse({**said, "outputs": [output]}, headers=headers)
    data = found.astype("<f4").tobytes()
    output["parameters"] = {"binary_data_size": len(data)}
    head = json.dumps({**said, "outputs": [output]}).encode()
    headers[LENGTH_HEADER] = str(len(head))
    return Response(head + data, headers=headers, media_type="application/octet-stream")
