"""From the bytes of a request to pixels: counted while they come in, decoded in processes apart."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncGenerator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.requests import ClientDisconnect, Request

from graft.classifier.exported import Exported
from graft.compute.worker_process import Failure, Item, Limits
from graft.compute.workers import Worker
from graft.errors import GraftError, PictureError
from graft.images.colours import show_in_rgb
from graft.images.decoding import (
    decode_picture,
    list_formats,
    open_picture,
)
from graft.images.deep_pictures import ValueRange, parse_range
from graft.serving.service_settings import ServiceSettings

logger = logging.getLogger(__name__)
_HEADER_BYTES = 4096
_FIELD_BYTES = 1024


class Refusal(Exception):  # noqa: N818 - it is an answer, no error of ours
    """A request, or one picture of it, that is not answered.

    Args:
        status: Of HTTP.
        reason: For a person, in one line.
        retry_after: Seconds after which it may be tried again; None if that would not help.
    """

    def __init__(self, status: int, reason: str, retry_after: int | None = None) -> None:
        super().__init__(reason)
        self.status, self.reason, self.retry_after = status, reason, retry_after


class Upload(NamedTuple):
    """What a form held.

    Attributes:
        pictures: Bytes of every file that was chosen.
        fields: Text of the other fields, by name.
    """

    pictures: list[bytes]
    fields: dict[str, str]


@dataclass
class _Form:
    """What the parser has told so far; nothing is ever written to a disk."""

    settings: ServiceSettings
    pictures: list[bytearray] = field(default_factory=list)
    fields: dict[str, bytearray] = field(default_factory=dict)
    _name: bytearray = field(default_factory=bytearray)
    _value: bytearray = field(default_factory=bytearray)
    _headers: dict[bytes, bytes] = field(default_factory=dict)
    _target: bytearray | None = None
    _is_file: bool = False

    def on_part_begin(self) -> None:
        self._headers = {}

    def on_header_begin(self) -> None:
        self._name, self._value = bytearray(), bytearray()

    def on_header_field(self, data: bytes, start: int, end: int) -> None:
        self._grow(self._name, data[start:end], _HEADER_BYTES, "a header of a part")

    def on_header_value(self, data: bytes, start: int, end: int) -> None:
        self._grow(self._value, data[start:end], _HEADER_BYTES, "a header of a part")

    def on_header_end(self) -> None:
        self._headers[bytes(self._name).lower()] = bytes(self._value)

    def on_headers_finished(self) -> None:
        _, options = parse_options_header(self._headers.get(b"content-disposition", b""))
        self._is_file = b"filename" in options
        self._target = bytearray()
        if not self._is_file:
            self.fields[options.get(b"name", b"").decode("utf-8", "replace")] = self._target
            if len(self.fields) > 8:
                raise Refusal(413, "a form has at most 8 fields beside its pictures")
        elif len(self.pictures) == self.settings.pictures:
            raise Refusal(413, f"a request has at most {self.settings.pictures} pictures")
        else:
            self.pictures.append(self._target)

    def on_part_data(self, data: bytes, start: int, end: int) -> None:
        if self._target is not None:
            most = self.settings.picture_bytes if self._is_file else _FIELD_BYTES
            self._grow(self._target, data[start:end], most, "a picture" if self._is_file else "it")

    def on_part_end(self) -> None:
        # A form in which no file was chosen sends one without name and content.
        if self._is_file and not self._target and self.pictures:
            _, options = parse_options_header(self._headers.get(b"content-disposition", b""))
            if not options.get(b"filename"):
                self.pictures.pop()

    @staticmethod
    def _grow(target: bytearray, data: bytes, most: int, what: str) -> None:
        if len(target) + len(data) > most:
            raise Refusal(413, f"{what} has at most {most:,} bytes")
        target += data


_CALLBACKS = [name for name in vars(_Form) if name.startswith("on_")]


class Intake:
    """Counts the bytes of requests while they come in.

    Args:
        settings: The limits: of one request, and of all together that are still coming in, which
            is a picture of the largest size for each of the requests at once.
    """

    def __init__(self, settings: ServiceSettings) -> None:
        self._most = settings.request_bytes
        self._most_together = max(
            settings.requests_at_once * settings.picture_bytes, settings.request_bytes
        )
        self._held = 0

    def read(self, request: Request) -> AsyncGenerator[bytes]:
        """The chunks of a request's body, as long as they are not too many.

        Raises:
            Refusal: If more bytes than allowed are announced; of the iterator, if more come, of
                this request or of all together.
        """
        too_long = Refusal(413, f"a request has at most {self._most:,} bytes")
        declared = request.headers.get("content-length", "")
        if declared.isdigit() and int(declared) > self._most:
            raise too_long
        return self._count(request, too_long)

    async def _count(self, request: Request, too_long: Refusal) -> AsyncGenerator[bytes]:
        total = 0
        try:
            async for chunk in request.stream():
                total += len(chunk)
                self._held += len(chunk)
                if total > self._most:
                    raise too_long
                if self._held > self._most_together:
                    raise Refusal(429, "too much is coming in at once", retry_after=1)
                yield chunk
        except ClientDisconnect:
            raise Refusal(400, "the request was cut short") from None
        finally:
            self._held -= total


async def read_form(
    body: AsyncGenerator[bytes], content_type: str, settings: ServiceSettings
) -> Upload:
    """The pictures and fields of a form, ``multipart/form-data``.

    Raises:
        Refusal: If it is something else, is damaged, or breaks a limit.
    """
    kind, options = parse_options_header(content_type)
    boundary = options.get(b"boundary")
    if kind != b"multipart/form-data" or not boundary:
        raise Refusal(415, "pictures are sent as files of a form (multipart/form-data)")
    form = _Form(settings)
    try:
        parser = MultipartParser(boundary, {name: getattr(form, name) for name in _CALLBACKS})  # type: ignore[arg-type]
        async with contextlib.aclosing(body):
            async for chunk in body:
                parser.write(chunk)
        parser.finalize()
    except FormParserError:
        raise Refusal(400, "the form is damaged or was cut short") from None
    if not form.pictures:
        raise Refusal(400, "the form has no picture; send at least one file")
    fields = {name: value.decode("utf-8", "replace") for name, value in form.fields.items()}
    return Upload([bytes(picture) for picture in form.pictures], fields)


def read_upload(
    data: bytes,
    image_size: int,
    colour: str,
    pixels: int,
    formats: tuple[str, ...],
    value_range: ValueRange | None = None,
) -> np.ndarray | tuple[int, str]:
    """Decode one picture, as those of training were; in a process of its own.

    Returns:
        Pixels (H, W, channels), uint8; or status and reason.

    Raises:
        PictureError: If it is damaged or no picture.
    """
    try:
        picture = open_picture(data, pixels)
    except PictureError as error:
        # Of the same header check, at the service's own limit or at Pillow's.
        too_large = "that max_pixels allows" in str(error)
        return (413, f"more than {pixels:,} pixels") if too_large else (415, str(error))
    if picture.format not in formats:
        return 415, f"of the format {picture.format}; taken are {', '.join(formats)}"
    return decode_picture(data, image_size, pixels, colour=colour, value_range=value_range)


_STARTS = 3


def _solve(worker: Worker, item: Item) -> Any:
    """What a worker makes of an item; one whose process is killed as it starts starts again."""
    for start in range(_STARTS):
        try:
            return worker.solve([item])[0]
        except GraftError as error:
            logger.warning("Decoder      start %d of %d failed: %s", start + 1, _STARTS, error)
    return Refusal(503, "no process that decodes pictures can start now", retry_after=5)


class Decoders:
    """A few processes that decode, each busy with one picture at a time.

    Args:
        settings: How many, and what a picture may take.
    """

    def __init__(self, settings: ServiceSettings) -> None:
        limits = Limits(settings.seconds_per_picture, settings.memory_mb)
        self._settings = settings
        self._crew = [
            Worker(read_upload, limits, prepare=list_formats) for _ in range(settings.decoders)
        ]
        self._threads = ThreadPoolExecutor(settings.decoders, "decoder")
        self._idle: asyncio.Queue[Worker] = asyncio.Queue()
        for worker in self._crew:
            self._idle.put_nowait(worker)

    async def warm_up(self) -> None:
        """Start all processes; whoever asks meanwhile waits for one."""
        nothing = {"data": b"", "image_size": 1, "colour": "rgb", "pixels": 1, "formats": ()}
        await asyncio.gather(*(self._solve(nothing) for _ in self._crew))

    async def decode(self, data: bytes, exported: Exported) -> np.ndarray | Refusal:
        """Pixels (H, W, channels), uint8, as the network takes them; or why there are none."""
        facts = exported.facts
        result = await self._solve(
            {
                "data": data,
                "image_size": facts["image_size"],
                "colour": facts["colour"],
                "pixels": min(self._settings.pixels, facts["max_pixels"]),
                "formats": self._settings.formats,
                "value_range": parse_range(facts.get("value_range")),
            }
        )
        if isinstance(result, Failure):
            return Refusal(415, result.reason)
        if isinstance(result, Refusal):
            return result
        if isinstance(result, tuple):
            return Refusal(*result)
        pixels: np.ndarray = result
        return show_in_rgb(pixels) if facts["channels"] == 3 else pixels

    def close(self) -> None:
        """End all processes."""
        for worker in self._crew:
            worker.dismiss()
        self._threads.shutdown(wait=True, cancel_futures=True)
        for worker in self._crew:
            worker.end()

    async def _solve(self, item: Item) -> Any:
        worker = await self._idle.get()
        # A request that is given up leaves its worker at work: it is idle when it has ended.
        loop = asyncio.get_running_loop()
        work = loop.run_in_executor(self._threads, _solve, worker, item)
        work.add_done_callback(lambda _: self._idle.put_nowait(worker))
        result = await asyncio.shield(work)
        if isinstance(result, Exception) and not isinstance(result, Refusal):
            raise result
        return result
