"""Clients that cost next to nothing: requests made beforehand, on sockets that stay open.

What a load generator takes of the processors the service beside it cannot have.
"""

from __future__ import annotations

import json
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from itertools import count
from typing import Any, NamedTuple, Self
from urllib.parse import urlsplit

import numpy as np

_BOUNDARY = b"graft-benchmark"


class Reply(NamedTuple):
    """What came back; a request that was lost has the status 0.

    Attributes:
        status: Of HTTP.
        headers: Names in small letters.
        body: As it came.
        seconds: From the first byte sent to the last one received.
    """

    status: int
    headers: dict[str, str]
    body: bytes
    seconds: float

    def read(self) -> Any:
        """The JSON in it."""
        return json.loads(self.body)


def make_request(
    address: str, picture: bytes, path: str = "/predict", field: str = "pictures"
) -> bytes:
    """All bytes of a request that brings one picture as a form."""
    body = b"".join(
        [
            b"--%s\r\n" % _BOUNDARY,
            b'Content-Disposition: form-data; name="%s"; filename="p"\r\n\r\n' % field.encode(),
            picture,
            b"\r\n--%s--\r\n" % _BOUNDARY,
        ]
    )
    head = (
        f"POST {path} HTTP/1.1\r\nHost: {urlsplit(address).netloc}\r\n"
        f"Content-Type: multipart/form-data; boundary={_BOUNDARY.decode()}\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


class Client:
    """One connection, opened anew when the service has closed it.

    Args:
        address: Of the service, such as ``http://127.0.0.1:8000``.
        patience: Seconds that an answer may take.
    """

    def __init__(self, address: str, patience: float = 120.0) -> None:
        parts = urlsplit(address)
        self._place, self._patience = (parts.hostname, parts.port), patience
        self._socket: socket.socket | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Hang up."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def connect(self) -> None:
        """Be let in.

        Raises:
            ConnectionRefusedError: If nobody listens.
        """
        self._socket = socket.create_connection(self._place, self._patience)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def ask(self, request: bytes) -> Reply:
        """Send a request and read its answer.

        Raises:
            ConnectionRefusedError: If nobody listens: the request was never let in.
        """
        begun = time.perf_counter()
        if self._socket is None:
            self.connect()
        assert self._socket is not None
        try:
            self._socket.sendall(request)
            status, headers, body = _read_reply(self._socket)
        except OSError:
            self.close()
            return Reply(0, {}, b"", time.perf_counter() - begun)
        if headers.get("connection", "").lower() == "close":
            self.close()
        return Reply(status, headers, body, time.perf_counter() - begun)


def _read_reply(connection: socket.socket) -> tuple[int, dict[str, str], bytes]:
    data = b""
    while b"\r\n\r\n" not in data:
        data += _receive(connection)
    head, _, body = data.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    pairs = (line.partition(":") for line in lines)
    headers = {name.lower(): value.strip() for name, _, value in pairs}
    missing = int(headers["content-length"]) - len(body)
    while missing > 0:
        more = _receive(connection)
        body, missing = body + more, missing - len(more)
    return int(first.split()[1]), headers, body


def _receive(connection: socket.socket) -> bytes:
    data = connection.recv(65536)
    if not data:
        raise ConnectionResetError
    return data


def send_all(
    address: str,
    requests: Sequence[bytes],
    clients: int,
    total: int,
    look: Callable[[int, Reply], None] = lambda number, reply: None,
) -> dict[str, Any]:
    """Send requests from many clients, each with a connection of its own, and time every answer.

    Args:
        address: Of the service.
        requests: As of :func:`make_request`; sent in turn, again and again.
        clients: Threads, each of which sends its next request when the last one is answered.
        total: Requests in all.
        look: Called with the number of a request and its answer, from any thread.

    Returns:
        Requests a second, median and 95th percentile of the seconds, answers by status (0: lost).
    """
    numbers = count()
    replies: list[tuple[int, float]] = []

    def work() -> None:
        with Client(address) as client:
            while (number := next(numbers)) < total:
                reply = client.ask(requests[number % len(requests)])
                replies.append((reply.status, reply.seconds))
                look(number, reply)

    begun = time.perf_counter()
    threads = [threading.Thread(target=work) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    taken = time.perf_counter() - begun
    seconds = np.array([one[1] for one in replies])
    return {
        "requests a second": len(replies) / taken,
        "median seconds": float(np.median(seconds)),
        "95th percentile": float(np.quantile(seconds, 0.95)),
        "statuses": dict(sorted(Counter(str(one[0]) for one in replies).items())),
    }
