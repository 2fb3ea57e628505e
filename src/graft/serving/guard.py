"""What every request passes: how many at once, how long, what is counted, and how it is refused."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable
from typing import Any

from fastapi import FastAPI
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from graft.serving.page import render_page, wants_page
from graft.serving.service import Service
from graft.serving.uploads import Refusal

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
_WORK = ("/predict", "/explain", "/infer")


class Guard:
    """Headers and figures of every request, and no work for one that comes in a crowd.

    Written for ASGI itself: Starlette's own way, a function around each request, starts a task
    and two streams for it, half of what a request costs beside its picture.

    Args:
        app: What comes after it.
        service: Whose limits hold.
    """

    def __init__(self, app: ASGIApp, service: Service) -> None:
        self._app, self._service = app, service

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, or send it away."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        service, measures, start = self._service, self._service.measures, time.perf_counter()
        status = 500

        async def send_marked(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                self._mark(MutableHeaders(scope=message))
            await send(message)

        is_work = scope["method"] == "POST" and scope["path"].endswith(_WORK)
        try:
            if is_work and (refusal := service.refuse_crowd()):
                # Before it has come in, which would be in vain.
                response = refuse(Request(scope), service, refusal)
                await response(scope, receive, send_marked)
            else:
                await self._app(scope, receive, send_marked)
        finally:
            path = getattr(scope.get("route"), "path", "other")
            measures.requests.labels(path, status).inc()
            measures.seconds.labels(path).observe(time.perf_counter() - start)

    def _mark(self, headers: MutableHeaders) -> None:
        for name, value in _HEADERS.items():
            headers.setdefault(name, value)
        headers.setdefault("X-Graft-Model", self._service.engine.model.exported.digest)
        if self._service.is_ending:
            headers["Connection"] = "close"


def refuse(request: Request, service: Service, refusal: Refusal) -> Response:
    """The answer to a request that is not answered."""
    headers = dict(_HEADERS)
    if refusal.retry_after is not None:
        headers["Retry-After"] = str(refusal.retry_after)
    if refusal.status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    if wants_page(request):
        page = render_page(service.settings, service.engine.model, error=refusal.reason)
        return HTMLResponse(page, refusal.status, headers)
    return JSONResponse({"error": refusal.reason}, refusal.status, headers)


def add_refusals(app: FastAPI, service: Service) -> None:
    """Give whatever is raised within a route a status and a reason."""

    @app.exception_handler(Refusal)
    async def refuse_request(request: Request, error: Refusal) -> Response:
        return refuse(request, service, error)

    @app.exception_handler(HTTPException)
    async def refuse_route(request: Request, error: HTTPException) -> Response:
        return refuse(request, service, Refusal(error.status_code, str(error.detail)))

    @app.exception_handler(Exception)
    async def apologise(request: Request, error: Exception) -> Response:
        logger.error("a defect of the service", exc_info=error)
        return refuse(request, service, Refusal(500, "a defect of the service; it was logged"))


async def within(seconds: float, work: Awaitable[Any], refusal: Refusal) -> Any:
    """The result of work that may take some seconds.

    Raises:
        Refusal: The given one, if it takes longer.
    """
    try:
        async with asyncio.timeout(seconds):
            return await work
    except TimeoutError:
        raise refusal from None
