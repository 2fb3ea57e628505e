"""What the service may be set to: where it listens, whom it answers, and how much of what."""

from __future__ import annotations

from typing import Self

from pydantic import BaseModel, ConfigDict, Field, PositiveFloat, PositiveInt, ValidationError

from graft.errors import GraftError


class ServiceSettings(BaseModel):
    """Settings of the service; over a limit a request gets a status and a reason.

    Attributes:
        host: Address to listen on; only this machine unless told otherwise.
        port: Port to listen on; 0 takes a free one.
        hosts: Names by which the service may be called, for a page elsewhere could otherwise be
            made to talk to it by another name; ``*`` takes any.
        token: What a request must bring to be answered; None answers everybody.
        picture_bytes: Most bytes of one picture (413).
        request_bytes: Most bytes of a request, counted while they come in (413).
        pictures: Most pictures a request (413).
        pixels: Most width × height, by the header, before anything is decoded (413).
        formats: Formats, by content, as Pillow names them (415).
        requests_at_once: More than these are sent away (429).
        seconds: Longest time of a request, from its first byte on (408 while it comes in, 504).
        seconds_per_picture: Longest time that decoding one picture may take (415).
        memory_mb: Most memory that decoding one picture may take, in MiB; enforced on Linux (415).
        decoders: Processes that decode.
        networks: Calls of the network at once; 0: as many as there are processors.
        threads: Threads of each call; 0 lets ONNX Runtime choose. One, unless set: several
            threads of a call wait for each other (``benchmarks/batching.py``).
        top: Classes that are listed a picture.
        reload_seconds: How often to look whether there is a new model.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=0, le=65535)
    hosts: tuple[str, ...] = ("127.0.0.1", "localhost", "[::1]")
    token: str | None = Field(default=None, min_length=1, repr=False)
    picture_bytes: PositiveInt = 8 * 2**20
    request_bytes: PositiveInt = 32 * 2**20
    pictures: PositiveInt = 16
    pixels: PositiveInt = 24_000_000
    formats: tuple[str, ...] = ("BMP", "GIF", "HEIF", "JPEG", "MPO", "PNG", "PPM", "TIFF", "WEBP")
    requests_at_once: PositiveInt = 32
    seconds: PositiveFloat = 30.0
    seconds_per_picture: PositiveFloat = 10.0
    memory_mb: PositiveInt = 512
    decoders: PositiveInt = 2
    networks: int = Field(default=0, ge=0)
    threads: int = Field(default=1, ge=0)
    top: PositiveInt = 5
    reload_seconds: PositiveFloat = 1.0

    @classmethod
    def check(cls, **values: object) -> Self:
        """Settings of the command line.

        Raises:
            GraftError: Says in one line what is wrong.
        """
        try:
            return cls(**values)  # type: ignore[arg-type]
        except ValidationError as error:
            fault = error.errors()[0]
            name = ".".join(map(str, fault["loc"]))
            told = "hidden" if name == "token" else repr(fault["input"])
            raise GraftError(f"{name}: {fault['msg']}; got {told}") from error
