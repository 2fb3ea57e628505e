"""The page as a process: a port of its own on this machine, until Ctrl-C."""

from __future__ import annotations

import errno
import socket
from contextlib import suppress

import uvicorn
from fastapi import FastAPI

from graft.errors import GraftError

HOST = "127.0.0.1"


def listen(port: int) -> socket.socket:
    """A socket on this machine; port 0 takes a free one.

    Raises:
        GraftError: If the port is taken or may not be used.
    """
    opened = socket.socket()
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        opened.bind((HOST, port))
        opened.listen()
    except OSError as error:
        opened.close()
        taken = error.errno == errno.EADDRINUSE
        raise GraftError(
            f"port {port} {'is taken' if taken else 'cannot be used'}; choose another with "
            f"--port, or --port=0 for a free one; got {error.strerror}"
        ) from error
    return opened


def open_page(app: FastAPI, opened: socket.socket, token: str) -> None:
    """Say where the page is, and serve it until Ctrl-C or SIGTERM."""
    print(f"Ready        http://{HOST}:{opened.getsockname()[1]}/{token}/")
    print("             open it in a browser; Ctrl-C ends it", flush=True)
    config = uvicorn.Config(app, log_level="warning", access_log=False, server_header=False,
                            ws="none", timeout_graceful_shutdown=3)  # fmt: skip
    with suppress(KeyboardInterrupt):
        uvicorn.Server(config).run(sockets=[opened])
