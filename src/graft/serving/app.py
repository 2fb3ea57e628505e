"""The application: routes, limits and answers; everything that faces strangers passes here."""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import json
import logging
import math
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from fastapi import FastAPI, Request, Response
from fastapi.responses import HTMLResponse, JSONResponse
from fastapi.staticfiles import StaticFiles
from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.exceptions import HTTPException
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import ClientDisconnect

from graft import __version__
from graft.classifier.answers import NOT_SURE, UNLIKE, rank_classes
from graft.serving.engine import Engine, Model
from graft.serving.measuring import Measures
from graft.serving.service_settings import ServiceSettings
from graft.serving.uploads import Decoders, Refusal, read_body, read_form

logger = logging.getLogger(__name__)
# Nothing but this service's own files: what a class or file is called cannot bring in a script.
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; script-src 'self'; "
    "img-src 'self' blob:; connect-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
_PAGES = Environment(
    loader=PackageLoader("graft.serving"), autoescape=True, undefined=StrictUndefined,
    trim_blocks=True, lstrip_blocks=True,
)  # fmt: skip


class Service:
    """What the routes work with.

    Args:
        engine: The model in use.
        settings: Limits.
    """

    def __init__(self, engine: Engine, settings: ServiceSettings) -> None:
        self.engine, self.settings = engine, settings
        self.measures = Measures()
        self.decoders = Decoders(settings)
        self._asking = ThreadPoolExecutor(settings.networks, "network")
        self.at_once = 0

    async def classify(self, pictures: Sequence[bytes], model: Model) -> list[dict[str, Any]]:
        """What is said of every picture; one that cannot be used has ``error`` and ``status``."""
        exported = model.exported
        decoded = await asyncio.gather(*(self.decoders.decode(one, exported) for one in pictures))
        said: list[dict[str, Any]] = []
        good = [pixels for pixels in decoded if not isinstance(pixels, Refusal)]
        answers = iter(await self.ask(np.stack(good), model) if good else [])
        for result in decoded:
            if isinstance(result, Refusal):
                self.measures.count_unreadable()
                said.append({"error": result.reason, "status": result.status})
            else:
                said.append(next(answers))
        return said

    async def ask(self, pixels: np.ndarray, model: Model) -> list[dict[str, Any]]:
        """What the network says of pictures (n, H, W, channels), uint8."""
        loop = asyncio.get_running_loop()
        findings, answers = await loop.run_in_executor(self._asking, model.ask, pixels)
        self.measures.count(findings, answers)
        names = model.exported.class_names
        ranked = rank_classes(findings.probabilities, self.settings.top)
        said = []
        for row, (answer, classes) in enumerate(zip(answers, ranked, strict=True)):
            values = findings.probabilities[row]
            distance = None if findings.distances is None else float(findings.distances[row])
            said.append(
                {
                    "answer": answer.name,
                    "reason": answer.reason,
                    "distance": distance,
                    "classes": [
                        {"name": names[index], "probability": float(values[index])}
                        for index in classes
                    ],
                }
            )
        return said

    async def run(self, pixels: np.ndarray, model: Model) -> np.ndarray:
        """Calibrated probabilities (n, C) alone."""
        loop = asyncio.get_running_loop()
        findings, answers = await loop.run_in_executor(self._asking, model.ask, pixels)
        self.measures.count(findings, answers)
        return findings.probabilities

    def refuse_stranger(self, request: Request, given: str | None = None) -> None:
        """Refuse who does not bring the token.

        Raises:
            Refusal: 401.
        """
        token = self.settings.token
        if token is None:
            return
        kind, _, brought = request.headers.get("authorization", "").partition(" ")
        offered = brought if kind.lower() == "bearer" else given or ""
        if not hmac.compare_digest(offered.encode(), token.encode()):
            raise Refusal(401, "this service needs a token: Authorization: Bearer TOKEN")

    def close(self) -> None:
        """End all processes and threads."""
        self.decoders.close()
        self._asking.shutdown(wait=True)


def create_app(engine: Engine, settings: ServiceSettings) -> FastAPI:
    """The application around a model.

    Args:
        engine: Holds the model.
        settings: Limits, hosts, token.
    """
    service = Service(engine, settings)

    @contextlib.asynccontextmanager
    async def live(_: FastAPI) -> AsyncIterator[None]:
        tasks = [
            asyncio.create_task(_follow_folder(service)),
            asyncio.create_task(service.decoders.warm_up()),
        ]
        yield
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        service.close()

    app = FastAPI(
        title="Graft", version=__version__, lifespan=live, docs_url=None, redoc_url=None,
        description="Asks an exported champion about pictures.",
    )  # fmt: skip
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=list(settings.hosts))
    app.mount("/static", StaticFiles(packages=[("graft.serving", "static")]), "static")
    app.state.is_ending = False
    _add_guard(app, service)
    _add_pages(app, service)
    _add_inference_protocol(app, service)
    return app


async def _follow_folder(service: Service) -> None:
    while True:
        await asyncio.sleep(service.settings.reload_seconds)
        try:
            await asyncio.to_thread(service.engine.refresh)
        except Exception:  # the service goes on with the model that it has
            logger.exception("Model        cannot be looked at")


_WORK = ("/predict", "/infer")


def _add_guard(app: FastAPI, service: Service) -> None:
    """Time, number of requests, headers, figures and refusals of every request."""
    settings, measures = service.settings, service.measures

    @app.middleware("http")
    async def guard(
        request: Request, call_next: Callable[[Request], Awaitable[Response]]
    ) -> Response:
        start = time.perf_counter()
        is_work = request.method == "POST" and request.url.path.endswith(_WORK)
        if is_work and service.at_once >= settings.requests_at_once:
            refusal = Refusal(429, f"{service.at_once} requests are being worked on", retry_after=1)
            response: Response = _refuse(request, service, refusal)
        elif is_work:
            service.at_once += 1
            measures.at_once.set(service.at_once)
            try:
                response = await call_next(request)
            finally:
                service.at_once -= 1
                measures.at_once.set(service.at_once)
        else:
            response = await call_next(request)
        route = request.scope.get("route")
        path = getattr(route, "path", "other")
        measures.requests.labels(path, response.status_code).inc()
        measures.seconds.labels(path).observe(time.perf_counter() - start)
        for name, value in _HEADERS.items():
            response.headers.setdefault(name, value)
        response.headers.setdefault("X-Graft-Model", service.engine.model.exported.digest)
        if app.state.is_ending:
            response.headers["Connection"] = "close"
        return response

    @app.exception_handler(Refusal)
    async def refuse(request: Request, error: Refusal) -> Response:
        return _refuse(request, service, error)

    @app.exception_handler(HTTPException)
    async def refuse_route(request: Request, error: HTTPException) -> Response:
        return _refuse(request, service, Refusal(error.status_code, str(error.detail)))

    @app.exception_handler(Exception)
    async def apologise(request: Request, error: Exception) -> Response:
        logger.error("a defect of the service", exc_info=error)
        return _refuse(request, service, Refusal(500, "a defect of the service; it was logged"))


def _refuse(request: Request, service: Service, refusal: Refusal) -> Response:
    headers = dict(_HEADERS)
    if refusal.retry_after is not None:
        headers["Retry-After"] = str(refusal.retry_after)
    if refusal.status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    if _wants_page(request):
        page = _render(service, service.engine.model, error=refusal.reason)
        return HTMLResponse(page, refusal.status, headers)
    return JSONResponse({"error": refusal.reason}, refusal.status, headers)


def _wants_page(request: Request) -> bool:
    """Whether a browser shows the answer itself; programs that do not care get JSON."""
    accepted = request.headers.get("accept", "")
    return "text/html" in accepted and request.url.path in ("/", "/predict")


def _render(service: Service, model: Model, **content: Any) -> str:
    settings, exported = service.settings, model.exported
    values = {
        "results": None, "error": None, "name": exported.facts["name"], "digest": exported.digest,
        "class_names": exported.class_names, "settings": settings,
        "needs_token": settings.token is not None, "unlike": UNLIKE, "not_sure": NOT_SURE,
        "megabytes": settings.picture_bytes // 2**20,
    }  # fmt: skip
    return _PAGES.get_template("page.html").render({**values, **content})


async def _within(seconds: float, work: Awaitable[Any], refusal: Refusal) -> Any:
    try:
        async with asyncio.timeout(seconds):
            return await work
    except TimeoutError:
        raise refusal from None


def _add_pages(app: FastAPI, service: Service) -> None:
    settings = service.settings

    @app.get("/", response_class=HTMLResponse)
    async def show_page() -> HTMLResponse:
        """The page."""
        return HTMLResponse(_render(service, service.engine.model))

    @app.post("/predict", openapi_extra=_FORM, responses=_REFUSALS)
    async def predict(request: Request) -> Response:
        """Classify the pictures of a form; JSON, or the page if that is what is accepted."""
        deadline = time.monotonic() + settings.seconds
        model = service.engine.model
        if request.headers.get("authorization"):
            service.refuse_stranger(request)
        too_slow = Refusal(408, f"a request must come in within {settings.seconds:g} s")
        body = read_body(request.stream(), request.headers.get("content-length"), settings)
        kind = request.headers.get("content-type", "")
        try:
            form = await _within(settings.seconds, read_form(body, kind, settings), too_slow)
        except ClientDisconnect:
            raise Refusal(400, "the request was cut short") from None
        service.refuse_stranger(request, form.fields.get("token"))
        too_late = Refusal(504, f"not answered within {settings.seconds:g} s", retry_after=5)
        left = deadline - time.monotonic()
        results = await _within(left, service.classify(form.pictures, model), too_late)
        status = 200
        if all("error" in result for result in results):
            status = results[0]["status"]
        headers = {"X-Graft-Model": model.exported.digest}
        if _wants_page(request):
            return HTMLResponse(_render(service, model, results=results), status, headers)
        said = {
            "model": model.exported.digest,
            "name": model.exported.facts["name"],
            "pictures": results,
        }
        if status != 200:
            said["error"] = results[0]["error"]
        return JSONResponse(said, status, headers)

    @app.get("/metrics", response_class=Response)
    async def show_metrics(request: Request) -> Response:
        """Figures for Prometheus."""
        service.refuse_stranger(request)
        content_type = "text/plain; version=0.0.4; charset=utf-8"
        return Response(service.measures.render(), media_type=content_type)


_FORM = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["pictures"],
                    "properties": {
                        "pictures": {
                            "type": "array",
                            "items": {"type": "string", "contentMediaType": "image/*"},
                        },
                        "token": {"type": "string"},
                    },
                }
            }
        },
    }
}
_REFUSALS: dict[int | str, dict[str, Any]] = {
    400: {"description": "The form is damaged, or has no picture."},
    401: {"description": "The token is missing or wrong."},
    408: {"description": "The request came in too slowly."},
    413: {"description": "Too many bytes, pixels or pictures."},
    415: {"description": "No picture, a damaged one, or of a format that is not taken."},
    429: {"description": "Too many requests at once; see Retry-After."},
    504: {"description": "Not answered in time; see Retry-After."},
}


def _add_inference_protocol(app: FastAPI, service: Service) -> None:
    """The Open Inference Protocol, version 2, with tensors as JSON."""
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
        is_ready = not app.state.is_ending
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

    @app.post("/v2/models/{name}/infer", responses=_REFUSALS)
    async def infer(name: str, request: Request) -> JSONResponse:
        """Calibrated probabilities of decoded pictures, sent as numbers."""
        deadline = time.monotonic() + settings.seconds
        service.refuse_stranger(request)
        model = find(name)
        body = read_body(request.stream(), request.headers.get("content-length"), settings)
        too_slow = Refusal(408, f"a request must come in within {settings.seconds:g} s")
        content = await _within(settings.seconds, _collect(body), too_slow)
        # Numbers as text take a while to read; nobody else is to wait for it.
        asked, pixels = await asyncio.to_thread(_read_tensor, content, model, settings)
        too_late = Refusal(504, f"not answered within {settings.seconds:g} s", retry_after=5)
        left = deadline - time.monotonic()
        found = await _within(left, service.run(pixels, model), too_late)
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


async def _collect(body: AsyncIterator[bytes]) -> bytes:
    try:
        return b"".join([chunk async for chunk in body])
    except ClientDisconnect:
        raise Refusal(400, "the request was cut short") from None


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
