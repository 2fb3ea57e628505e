"""Who is let in: requests to this machine by its own name, under the address that is secret."""

from __future__ import annotations

import secrets

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

# Names of this machine. A page of somebody else's can have its own name lead here (DNS
# rebinding), and its requests come with that name.
HOSTS = ("127.0.0.1", "localhost")
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; script-src 'self'; "
    "img-src 'self'; connect-src 'self'; form-action 'none'; base-uri 'none'; "
    "frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


def make_token() -> str:
    """A word that nobody can guess."""
    return secrets.token_urlsafe(24)


class Doorkeeper:
    """Lets through what begins with ``/TOKEN/``, which it takes off; sends all else away.

    Args:
        app: What comes after it.
        token: The first part of every path.
    """

    def __init__(self, app: ASGIApp, token: str) -> None:
        self._app, self._token = app, token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, or send it away."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_marked(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers[name] = value
            await send(message)

        _, token, path = [*scope["path"].split("/", 2), "", ""][:3]
        reason = _find_fault(Headers(scope=scope))
        if reason is None and not secrets.compare_digest(token.encode(), self._token.encode()):
            reason = "open the address that `kedro label` has printed; it is new with every start"
        if reason is not None:
            response = JSONResponse({"error": reason}, 403)
            await response(scope, receive, send_marked)
            return
        await self._app({**scope, "path": f"/{path}"}, receive, send_marked)


def _find_fault(headers: Headers) -> str | None:
    """Why a request does not come from the page itself; None if it may."""
    host = headers.get("host", "")
    if host.rpartition(":")[0] not in HOSTS and host not in HOSTS:
        return "this page is called by 127.0.0.1 or localhost alone"
    origin = headers.get("origin")
    if origin is not None and origin != f"http://{host}":
        return "this page takes no requests from other pages"
    return None
