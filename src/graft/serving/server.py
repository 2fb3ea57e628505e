"""The application on uvicorn: it says where it listens, and finishes what is in flight."""

from __future__ import annotations

import asyncio
import contextlib
import resource
import signal
import sys
from collections.abc import Iterator
from functools import partial

import uvicorn

from graft.serving.app import create_app
from graft.serving.connections import Connection
from graft.serving.engine import Engine
from graft.serving.service_settings import ServiceSettings

# Whoever was let in just before the end has so long to send a request, in seconds.
_LINGER = 0.5
_CONNECTIONS = 65_536


class _Server(uvicorn.Server):
    async def startup(self, sockets: list | None = None) -> None:
        await super().startup(sockets)
        for server in self.servers:
            for socket in server.sockets:
                host, port, *_ = socket.getsockname()
                print(f"Ready        http://{f'[{host}]' if ':' in host else host}:{port}")
        sys.stdout.flush()

    async def shutdown(self, sockets: list | None = None) -> None:
        # uvicorn would close connections of which it has read nothing yet, a request on its way.
        self.config.app.state.service.is_ending = True  # type: ignore[union-attr]
        for server in self.servers:
            server.close()
        await asyncio.sleep(_LINGER)
        await super().shutdown(sockets)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        # uvicorn would raise the signal once more when all has ended as it was asked to.
        asked = (signal.SIGINT, signal.SIGTERM)
        before = {number: signal.signal(number, self.handle_exit) for number in asked}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def _allow_connections() -> None:
    """Take as many open files as the system lets this process have: a connection is one.

    Systems start a process with 1,024, and beyond them whoever comes is turned off unheard.
    """
    few, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _CONNECTIONS if most == resource.RLIM_INFINITY else min(most, _CONNECTIONS)
    if few != resource.RLIM_INFINITY and few < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, most))


def run_server(engine: Engine, settings: ServiceSettings) -> None:
    """Serve until SIGTERM or Ctrl-C; then finish what is in flight."""
    _allow_connections()
    config = uvicorn.Config(
        create_app(engine, settings),
        host=settings.host,
        port=settings.port,
        log_level="warning",
        access_log=False,
        server_header=False,
        http=partial(Connection, seconds=settings.seconds),  # type: ignore[arg-type]
        ws="none",
        # A connection that says nothing after an answer is not waited for.
        timeout_keep_alive=5,
        timeout_graceful_shutdown=int(settings.seconds) + 5,
    )
    _Server(config).run()
