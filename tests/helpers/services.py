"""A service in a thread of this process, on a port of its own."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import uvicorn

from graft.serving.app import create_app
from graft.serving.engine import Engine
from graft.serving.service_settings import ServiceSettings


@contextlib.contextmanager
def serve(folder: Path, **options: Any) -> Iterator[str]:
    """The address of a service over an export, until the block ends.

    Args:
        folder: As ``graft serve`` takes it.
        options: As of :class:`ServiceSettings`; one decoder and one thread unless told otherwise.
    """
    settings = ServiceSettings.check(**{"decoders": 1, "networks": 1, "threads": 1, **options})
    app = create_app(Engine(folder, settings.threads), settings)
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="warning"))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            time.sleep(0.05)
        port = server.servers[0].sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join()
