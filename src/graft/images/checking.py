"""Checking one picture: is it whole, what is in it, what identifies it."""

from __future__ import annotations

import hashlib
from typing import TypedDict

import imagehash
from PIL import Image

from graft.images.decoding import PictureError, open_picture, to_rgb

OK = "ok"
QUARANTINED = "quarantined"


class PictureFacts(TypedDict):
    """What :func:`check_picture` finds out; the columns of ``image_index`` but id and label."""

    sha256: str | None
    pixel_sha256: str | None
    perceptual_hash: str | None
    width: int | None
    height: int | None
    mode: str | None
    format: str | None
    bytes: int
    status: str
    reason: str


def check_picture(data: bytes, min_side: int, max_pixels: int) -> PictureFacts:
    """Decode a picture whole and describe it; never raises on bad pictures.

    Args:
        data: The file's bytes.
        min_side: Shortest allowed side, in pixels.
        max_pixels: Largest allowed width × height.

    Returns:
        The facts; ``status`` is ``"ok"``, or ``"quarantined"`` with a ``reason`` for a person.
        ``pixel_sha256`` is of the upright RGB pixels and their shape: equal for two files that
        hold the same pixels. ``perceptual_hash`` is a 64-bit difference hash in hexadecimal.
    """
    facts = _no_facts(data)
    try:
        picture = open_picture(data, max_pixels)
        facts.update(
            width=picture.width, height=picture.height, mode=picture.mode, format=picture.format
        )
        if min(picture.size) < min_side:
            raise PictureError(
                f"{picture.width}×{picture.height} pixels, a side is shorter than the "
                f"{min_side} of min_side"
            )
        upright = to_rgb(picture)
    except PictureError as error:
        facts.update(status=QUARANTINED, reason=str(error))
        return facts
    facts.update(
        width=upright.width,
        height=upright.height,
        pixel_sha256=_hash_pixels(upright),
        perceptual_hash=str(imagehash.dhash(upright)),
    )
    return facts


def describe_unreadable(reason: str) -> PictureFacts:
    """Facts of a file whose bytes could not even be read."""
    facts = _no_facts(b"")
    facts.update(sha256=None, status=QUARANTINED, reason=reason)
    return facts


def _no_facts(data: bytes) -> PictureFacts:
    return PictureFacts(
        sha256=hashlib.sha256(data).hexdigest(),
        pixel_sha256=None,
        perceptual_hash=None,
        width=None,
        height=None,
        mode=None,
        format=None,
        bytes=len(data),
        status=OK,
        reason="",
    )


def _hash_pixels(picture: Image.Image) -> str:
    return hashlib.sha256(f"{picture.size}".encode() + picture.tobytes()).hexdigest()
