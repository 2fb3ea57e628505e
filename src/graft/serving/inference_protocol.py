"""The routes of the Open Inference Protocol, version 2."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator
from typing import Any

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from graft import __version__
from graft.serving.engine import Model
from graft.serving.guard import within
from graft.serving.interface import (
    Inferred,
    Live,
    ModelMetadata,
    ModelReady,
    Ready,
    Server,
    describe_tensor,
    list_refusals,
)
from graft.serving.service import Service
from graft.serving.tensors import (
    INPUT,
    LENGTH_HEADER,
    OUTPUT,
    read_tensor,
    write_probabilities,
)
from graft.serving.uploads import Refusal

# As the protocol has them, project and format, for the formats of an export.
_PLATFORMS = {
    "onnx": "onnx_onnxv1", "saved_model": "tensorflow_savedmodel", "litert": "tensorflow_litert",
    "litert_int8": "tensorflow_litert", "keras": "keras_keras",
}  # fmt: skip


def add_inference_protocol(app: FastAPI, service: Service) -> None:
    """Give an application the routes of the protocol."""
    settings = service.settings

    def find(name: str) -> Model:
        model = service.engine.model
        if name != model.exported.facts["name"]:
            raise Refusal(404, f"the model is called '{model.exported.facts['name']}'")
        return model

    @app.get("/v2", responses={200: {"model": Server}})
    async def describe_server() -> JSONResponse:
        """What the server is."""
        said = {"name": "graft", "version": __version__, "extensions": ["binary_tensor_data"]}
        return JSONResponse(said)

    @app.get("/v2/health/live", responses={200: {"model": Live}})
    async def tell_live() -> JSONResponse:
        """Whether the server answers."""
        return JSONResponse({"live": True})

    @app.get(
        "/v2/health/ready",
        responses={200: {"model": Ready}, 503: {"model": Ready, "description": "It is ending."}},
    )
    async def tell_ready() -> JSONResponse:
        """Whether the server takes requests."""
        is_ready = not service.is_ending
        return JSONResponse({"ready": is_ready}, 200 if is_ready else 503)

    @app.get("/v2/models/{name}", responses={200: {"model": ModelMetadata}, **list_refusals(404)})
    async def describe_model(name: str) -> JSONResponse:
        """What the model takes and gives."""
        model = find(name)
        classes = len(model.exported.class_names)
        said: dict[str, Any] = {
            "name": name,
            "versions": [model.exported.digest],
            "platform": _PLATFORMS[model.exported.facts["format"]],
            "inputs": [{"name": INPUT, "datatype": "UINT8", "shape": [-1, *model.picture_shape]}],
            "outputs": [{"name": OUTPUT, "datatype": "FP32", "shape": [-1, classes]}],
            "parameters": {"class_names": model.exported.class_names},
        }
        return JSONResponse(said)

    @app.get(
        "/v2/models/{name}/ready", responses={200: {"model": ModelReady}, **list_refusals(404)}
    )
    async def tell_model_ready(name: str) -> JSONResponse:
        """Whether the model takes requests."""
        find(name)
        return JSONResponse({"name": name, "ready": True})

    @app.post(
        "/v2/models/{name}/infer",
        openapi_extra=describe_tensor(settings),
        responses={
            200: {
                "model": Inferred,
                "description": f"As JSON; or, if bytes are wanted, so much JSON as {LENGTH_HEADER} "
                "says and then the numbers.",
                "content": {"application/octet-stream": {}},
            },
            **list_refusals(400, 401, 404, 408, 413, 429, 504),
        },
    )
    async def infer(name: str, request: Request) -> Response:
        """Calibrated probabilities of decoded pictures."""
        deadline = time.monotonic() + settings.seconds
        service.refuse_stranger(request)
        model = find(name)
        too_slow = Refusal(408, f"a request must come in within {settings.seconds:g} s")
        content = await within(settings.seconds, _collect(service.intake.read(request)), too_slow)
        length = request.headers.get(LENGTH_HEADER)
        with service.work():
            # Numbers as text take a while to read; nobody else is to wait for it.
            asked = await asyncio.to_thread(read_tensor, content, length, model, settings.pictures)
            too_late = Refusal(504, f"not answered within {settings.seconds:g} s", retry_after=5)
            left = deadline - time.monotonic()
            found = await within(left, service.run(asked.pixels, model), too_late)
        return write_probabilities(found, asked, name, model)


async def _collect(body: AsyncGenerator[bytes]) -> bytes:
    async with contextlib.aclosing(body):
        return b"".join([chunk async for chunk in body])
