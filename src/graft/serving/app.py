"""The application: what faces strangers, put together, and the routes of the page."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.responses import HTMLResponse, JSONResponse, PlainTextResponse
from fastapi.staticfiles import StaticFiles
from starlette.middleware.trustedhost import TrustedHostMiddleware

from graft import __version__
from graft.serving.engine import Engine
from graft.serving.guard import Guard, add_refusals, within
from graft.serving.inference_protocol import add_inference_protocol
from graft.serving.interface import Explained, Predicted, describe_form, list_refusals, publish
from graft.serving.page import render_page, wants_page
from graft.serving.service import Service
from graft.serving.service_settings import ServiceSettings
from graft.serving.uploads import Refusal, read_form

logger = logging.getLogger(__name__)


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
    app.state.service = service
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=list(settings.hosts))
    app.add_middleware(Guard, service=service)
    add_refusals(app, service)
    app.mount("/static", StaticFiles(packages=[("graft.serving", "static")]), "static")
    _add_pages(app, service)
    add_inference_protocol(app, service)
    publish(app)
    return app


async def _follow_folder(service: Service) -> None:
    while True:
        await asyncio.sleep(service.settings.reload_seconds)
        try:
            await asyncio.to_thread(service.engine.refresh)
        except Exception:  # the service goes on with the model that it has
            logger.exception("Model        cannot be looked at")


def _add_pages(app: FastAPI, service: Service) -> None:
    settings = service.settings

    @app.get("/", response_class=HTMLResponse)
    async def show_page() -> HTMLResponse:
        """The page."""
        return HTMLResponse(render_page(settings, service.engine.model))

    @app.post(
        "/predict",
        openapi_extra=describe_form(settings),
        responses={
            200: {"model": Predicted, "content": {"text/html": {}}},
            **list_refusals(400, 401, 408, 413, 415, 429, 503, 504, with_page=True),
        },
    )
    async def predict(request: Request) -> Response:
        """Classify the pictures of a form; JSON, or the page if that is what is accepted."""
        model = service.engine.model
        results = await _work_on_form(request, service, lambda sent: service.classify(sent, model))
        status = _find_status(results)
        headers = {"X-Graft-Model": model.exported.digest}
        if wants_page(request):
            return HTMLResponse(render_page(settings, model, results=results), status, headers)
        said = {
            "model": model.exported.digest,
            "name": model.exported.facts["name"],
            "pictures": results,
        }
        if status != 200:
            said["error"] = results[0]["error"]
        return JSONResponse(said, status, headers)

    @app.post(
        "/explain",
        openapi_extra=describe_form(settings),
        responses={
            200: {"model": Explained},
            **list_refusals(400, 401, 408, 413, 415, 429, 503, 504),
        },
    )
    async def explain(request: Request) -> JSONResponse:
        """What speaks for the most probable class of each picture, and what is near to it."""
        model = service.engine.model
        results = await _work_on_form(request, service, lambda sent: service.explain(sent, model))
        status = _find_status(results)
        said = {"model": model.exported.digest, "pictures": results}
        if status != 200:
            said["error"] = results[0]["error"]
        return JSONResponse(said, status, {"X-Graft-Model": model.exported.digest})

    @app.get(
        "/metrics",
        response_class=PlainTextResponse,
        responses={200: {"description": "In Prometheus' text format."}, **list_refusals(401)},
    )
    async def show_metrics(request: Request) -> Response:
        """Figures for Prometheus."""
        service.refuse_stranger(request)
        content_type = "text/plain; version=0.0.4; charset=utf-8"
        return Response(service.measures.render(), media_type=content_type)


async def _work_on_form(
    request: Request,
    service: Service,
    work: Callable[[list[bytes]], Awaitable[list[dict[str, Any]]]],
) -> list[dict[str, Any]]:
    """Take in the pictures of a form, and let work be done on them, within the time of a request.

    Raises:
        Refusal: If something is missing, wrong, too much or too late.
    """
    settings = service.settings
    deadline = time.monotonic() + settings.seconds
    if request.headers.get("authorization"):
        service.refuse_stranger(request)
    too_slow = Refusal(408, f"a request must come in within {settings.seconds:g} s")
    kind = request.headers.get("content-type", "")
    coming = read_form(service.intake.read(request), kind, settings)
    form = await within(settings.seconds, coming, too_slow)
    service.refuse_stranger(request, form.fields.get("token"))
    too_late = Refusal(504, f"not answered within {settings.seconds:g} s", retry_after=5)
    with service.work():
        return await within(deadline - time.monotonic(), work(form.pictures), too_late)


def _find_status(results: list[dict[str, Any]]) -> int:
    """That of the first picture if none could be used."""
    return int(results[0]["status"]) if all("error" in result for result in results) else 200
