"""Checking one picture: is it whole, what is in it, what identifies it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import imagehash
from PIL import Image

from graft.images.decoding import PictureError, open_picture, to_rgb

OK = "ok"
QUARANTINED = "quarantined"


@dataclass
class PictureFacts:
    """What is known of one picture file; a column each of ``image_index``.

    Attributes:
        sha256: Of the file's bytes; None if they cannot be read.
        pixel_sha256: Of the upright RGB pixels and their shape: equal for two files that hold
            the same pixels.
        perceptual_hash: 64-bit difference hash in hexadecimal: near for pictures that look alike.
        width: Of the upright picture, in pixels.
        height: Of the upright picture, in pixels.
        mode: Pillow's name of the pixel format in the file, such as ``"RGB"``.
        format: Format of the file, such as ``"JPEG"``.
        bytes: Size of the file.
        status: ``"ok"`` or ``"quarantined"``.
        reason: Why it is quarantined, for a person; else empty.
    """

    sha256: str | None = None
    pixel_sha256: str | None = None
    perceptual_hash: str | None = None
    width: int | None = None
    height: int | None = None
    mode: str | None = None
    format: str | None = None
    bytes: int = 0
    status: str = OK
    reason: str = ""


def check_picture(data: bytes, min_side: int, max_pixels: int) -> PictureFacts:
    """Decode a picture whole and describe it; never raises on bad pictures.

    Args:
        data: The file's bytes.
        min_side: Shortest allowed side, in pixels.
        max_pixels: Largest allowed width × height.

    Returns:
        The facts as far as they are known.
    """
    facts = PictureFacts(sha256=hashlib.sha256(data).hexdigest(), bytes=len(data))
    try:
        picture = open_picture(data, max_pixels)
        facts.width, facts.height = picture.size
        facts.mode, facts.format = picture.mode, picture.format
        if min(picture.size) < min_side:
            raise PictureError(
                f"{picture.width}×{picture.height} pixels, a side is shorter than the "
                f"{min_side} of min_side"
            )
        upright = to_rgb(picture)
    except PictureError as error:
        facts.status, facts.reason = QUARANTINED, str(error)
        return facts
    facts.width, facts.height = upright.size
    facts.pixel_sha256 = _hash_pixels(upright)
    facts.perceptual_hash = str(imagehash.dhash(upright))
    return facts


def describe_unreadable(reason: str) -> PictureFacts:
    """Facts of a file whose bytes could not even be read."""
    return PictureFacts(status=QUARANTINED, reason=reason)


def _hash_pixels(picture: Image.Image) -> str:
    return hashlib.sha256(f"{picture.size}".encode() + picture.tobytes()).hexdigest()
