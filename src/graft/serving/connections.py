"""A connection that must bring the head of a request soon, and in few bytes.

uvicorn waits for ever for a head that drips in, and with httptools keeps one of any length.
"""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.auto import AutoHTTPProtocol

MOST_HEAD_BYTES = 64 * 1024


# Which of its protocols it is, uvicorn decides as it is imported: no type, to a type checker.
class Connection(AutoHTTPProtocol):  # type: ignore[misc, valid-type]
    """uvicorn's connection, closed if it has brought no request for a while.

    Args:
        seconds: Time for a head, from the first byte (or the opening) on. What still comes of a
            body after its request was answered has no longer either.
        options: As uvicorn gives them.
    """

    def __init__(self, *, seconds: float, **options: Any) -> None:
        super().__init__(**options)
        self._seconds, self._head_bytes = seconds, 0
        self._end: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        """Wait for the first request."""
        super().connection_made(transport)
        self._wait()

    def data_received(self, data: bytes) -> None:
        """Take what comes, as long as it makes a head."""
        super().data_received(data)
        if self._is_at_work():
            self._stop_waiting()
            return
        self._wait()
        is_rest_of_a_body = self.cycle is not None and self.cycle.more_body
        self._head_bytes += 0 if is_rest_of_a_body else len(data)
        if self._head_bytes > MOST_HEAD_BYTES and not self.transport.is_closing():
            self.send_400_response(f"The head of a request has at most {MOST_HEAD_BYTES:,} bytes.")

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no longer."""
        self._stop_waiting()
        super().connection_lost(exc)

    def _is_at_work(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _wait(self) -> None:
        if self._end is None:
            self._end = self.loop.call_later(self._seconds, self._give_up)

    def _stop_waiting(self) -> None:
        self._head_bytes = 0
        if self._end is not None:
            self._end.cancel()
            self._end = None

    def _give_up(self) -> None:
        self._end = None
        if not self._is_at_work():
            self.transport.close()
