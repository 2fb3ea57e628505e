"""The Open Inference Protocol, version 2, with tensors as JSON."""

from __future__ import annotations

import asyncio
import contextlib
import json
import math
import time
from collections.abc import AsyncGenerator
from typing import Any

import numpy as np
from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import JSONResponse

from graft import __version__
from graft.serving.engine import Model
from graft.serving.guard import REFUSALS, within
from graft.serving.service import Service
from graft.serving.service_settings import ServiceSettings
from graft.serving.uploads import Refusal


def add_inference_protocol(app: FastAPI, service: Service) -> None:
    """Give an application the routes of the protocol."""
    settings = service.settings

    def find(name: str) -> Model:
        model = service.engine.model
        if name != model.exported.facts["name"]:
            raise Refusal(404, f"the model is called '{model.exported.facts['name']}'")
        return model

    @app.get("/v2")
    async def describe_server() -> dict[str, Any]:
        return {"name": "graft", "version": __version__, "extensions": []}

    @app.get("/v2/health/live")
    async def tell_live() -> dict[str, bool]:
        return {"live": True}

    @app.get("/v2/health/ready")
    async def tell_ready() -> JSONResponse:
        is_ready = not service.is_ending
        return JSONResponse({"ready": is_ready}, 200 if is_ready else 503)

    @app.get("/v2/models/{name}")
    async def describe_model(name: str) -> dict[str, Any]:
        model = find(name)
        classes = len(model.exported.class_names)
        return {
            "name": name,
            "versions": [model.exported.digest],
            "platform": "onnx_onnxv1",
            "inputs": [
                {"name": "pictures", "datatype": "UINT8", "shape": [-1, *model.picture_shape]}
            ],
            "outputs": [
                {"name": "probabilities", "datatype": "FP32", "shape": [-1, classes]},
            ],
            "parameters": {"class_names": model.exported.class_names},
        }

    @app.get("/v2/models/{name}/ready")
    async def tell_model_ready(name: str) -> dict[str, Any]:
        find(name)
        return {"name": name, "ready": True}

    @app.post("/v2/models/{name}/infer", responses=REFUSALS)
    async def infer(name: str, request: Request) -> JSONResponse:
        """Calibrated probabilities of decoded pictures, sent as numbers."""
        deadline = time.monotonic() + settings.seconds
        service.refuse_stranger(request)
        model = find(name)
        too_slow = Refusal(408, f"a request must come in within {settings.seconds:g} s")
        content = await within(settings.seconds, _collect(service.intake.read(request)), too_slow)
        # Numbers as text take a while to read; nobody else is to wait for it.
        with service.work():
            asked, pixels = await asyncio.to_thread(_read_tensor, content, model, settings)
            too_late = Refusal(504, f"not answered within {settings.seconds:g} s", retry_after=5)
            left = deadline - time.monotonic()
            found = await within(left, service.run(pixels, model), too_late)
        said = {
            "model_name": name,
            "model_version": model.exported.digest,
            "outputs": [
                {
                    "name": "probabilities",
                    "datatype": "FP32",
                    "shape": list(found.shape),
                    "data": found.ravel().tolist(),
                }
            ],
        }
        if "id" in asked:
            said["id"] = str(asked["id"])
        return JSONResponse(said, headers={"X-Graft-Model": model.exported.digest})


async def _collect(body: AsyncGenerator[bytes]) -> bytes:
    async with contextlib.aclosing(body):
        return b"".join([chunk async for chunk in body])


def _read_tensor(
    content: bytes, model: Model, settings: ServiceSettings
) -> tuple[dict[str, Any], np.ndarray]:
    """The request, and its pictures (n, H, W, channels), uint8.

    Raises:
        Refusal: If it is not what the protocol says.
    """
    try:
        asked = json.loads(content)
        (given,) = asked["inputs"]
        name, kind, shape = given["name"], given["datatype"], tuple(map(int, given["shape"]))
        data = given["data"]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise Refusal(
            400, "a request has one of 'inputs' with 'name', 'datatype', 'shape' and 'data'"
        ) from None
    expected = ("pictures", "UINT8", model.picture_shape)
    if (name, kind, shape[1:]) != expected or not 1 <= shape[0] <= settings.pictures:
        raise Refusal(
            400,
            f"the input is 'pictures', UINT8, of shape [1 to {settings.pictures}, "
            f"{', '.join(map(str, model.picture_shape))}]",
        )
    try:
        numbers = np.asarray(data, dtype=np.int64).ravel()
        is_whole = numbers.size == math.prod(shape) and 0 <= numbers.min() <= numbers.max() <= 255
    except (ValueError, TypeError, OverflowError):
        is_whole = False
    if not is_whole:
        raise Refusal(400, f"'data' is {math.prod(shape):,} whole numbers from 0 to 255")
    return asked, numbers.astype(np.uint8).reshape(shape)
