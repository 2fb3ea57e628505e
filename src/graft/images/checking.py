"""Checking one picture: is it whole, what is in it, what identifies it."""

from __future__ import annotations

import base64
import hashlib
import math
from dataclasses import dataclass

import imagehash
import numpy as np
from PIL import Image

from graft.errors import PictureError
from graft.images.crops import Box
from graft.images.decoding import cut_out, find_values, open_picture, to_rgb
from graft.images.deep_pictures import ValueRange

OK = "ok"
QUARANTINED = "quarantined"

# Eight times the 9×8 pixels of the hash; averages of blocks, so that every pixel counts.
_THUMBNAIL = (72, 64)
# A smaller picture has too few pixels a bit, and saving it again as JPEG changes most of them.
_MIN_SIDE_TO_HASH = 32
# Of 255. In a flatter picture the noise of JPEG decides which of two neighbours is lighter.
_MIN_RANGE_TO_HASH = 8
# Of the 64 bits of the hash. One that compares background with background is 0 in all pictures of
# such things: 80-pixel objects on white would all look alike. Copies that JPEG moves across one
# limit still have the other mark in common.
_PLAIN, _NEARLY_PLAIN = 0.5, 0.4
_SAME_LEVEL = 2
_STRIP_BYTES = 4 * 2**20
_LEVELS = np.arange(256)


@dataclass(slots=True)
class PictureFacts:
    """What is known of one picture file; a column each of ``image_index``.

    Attributes:
        sha256: Of the file's bytes; None if they cannot be read. Filled in by whoever read them.
        pixel_sha256: Of the upright RGB pixels, of the part if there is one, and their shape:
            equal for two files that hold the same pixels.
        perceptual_hash: 64-bit difference hash in hexadecimal: near for pictures that look
            alike. None where it would say nothing: the shortest side is under 32 pixels, the
            picture is flat, or most of it is a plain background.
        thumbnail: Of a picture with much plain background its 8×8 mean colours, 192 bytes in
            base64: what stands before the background differs there.
        brightness: Mean luma (ITU-R 601-2), 0 to 255.
        contrast: Standard deviation of luma over blocks of the picture, 0 to 127.5.
        red: Mean of the red channel, 0 to 255.
        green: Mean of the green channel, 0 to 255.
        blue: Mean of the blue channel, 0 to 255.
        width: Of the upright picture or the part of it, in pixels.
        height: Of the upright picture or the part of it, in pixels.
        mode: Pillow's name of the pixel format in the file, such as ``"RGB"``.
        format: Format of the file, such as ``"JPEG"``.
        value_low: Lowest value of a picture of more than 8 bits, by its tags or its pixels.
        value_high: Highest value of it.
        bytes: Size of the file.
        status: ``"ok"`` or ``"quarantined"``.
        reason: Why it is quarantined, for a person; else empty.
    """

    sha256: str | None = None
    pixel_sha256: str | None = None
    perceptual_hash: str | None = None
    thumbnail: str | None = None
    brightness: float | None = None
    contrast: float | None = None
    red: float | None = None
    green: float | None = None
    blue: float | None = None
    width: int | None = None
    height: int | None = None
    mode: str | None = None
    format: str | None = None
    value_low: float | None = None
    value_high: float | None = None
    bytes: int = 0
    status: str = OK
    reason: str = ""


def check_picture(
    data: bytes,
    min_side: int,
    max_pixels: int,
    crop: Box | None = None,
    value_range: ValueRange | None = None,
) -> PictureFacts:
    """Decode a picture whole and describe it; never raises on bad pictures.

    Args:
        data: The file's bytes.
        min_side: Shortest allowed side of the picture, or of the part, in pixels.
        max_pixels: Largest allowed width × height of the whole picture.
        crop: The part to describe, of the upright picture; all of it if None.
        value_range: Of a picture of more than 8 bits: values that become 0 and 255; None takes
            what the picture alone says.

    Returns:
        The facts as far as they are known, ``sha256`` left out.

    Raises:
        MemoryError: If there is too little memory.
    """
    facts = PictureFacts(bytes=len(data))
    try:
        picture = open_picture(data, max_pixels)
        facts.width, facts.height = picture.size
        facts.mode, facts.format = picture.mode, picture.format
        _refuse_short_side(picture.size, min_side)
        if (values := find_values(picture)) is not None:
            facts.value_low, facts.value_high = values
        part = cut_out(to_rgb(picture, value_range), crop)
        facts.width, facts.height = part.size
        _refuse_short_side(part.size, min_side)
    except PictureError as error:
        facts.status, facts.reason = QUARANTINED, str(error)
        return facts
    facts.pixel_sha256 = _hash_pixels(part)
    _describe_look(part, facts)
    return facts


def describe_unusable(reason: str, sha256: str | None = None, size: int = 0) -> PictureFacts:
    """Facts of a file that could not be checked, or not even read.

    Args:
        reason: For a person.
        sha256: Of its bytes, if they could be read.
        size: Number of them.
    """
    return PictureFacts(sha256=sha256, bytes=size, status=QUARANTINED, reason=reason)


def _refuse_short_side(size: tuple[int, int], min_side: int) -> None:
    width, height = size
    if min(size) < min_side:
        raise PictureError(
            f"{width}×{height} pixels, a side is shorter than the {min_side} of min_side"
        )


def _hash_pixels(picture: Image.Image) -> str:
    digest = hashlib.sha256(f"{picture.size}".encode())
    height = max(1, _STRIP_BYTES // (3 * picture.width))
    if height >= picture.height:
        digest.update(picture.tobytes())
        return digest.hexdigest()
    # Strip by strip: a second copy of a large picture would double the memory that it takes.
    for top in range(0, picture.height, height):
        bottom = min(top + height, picture.height)
        digest.update(picture.crop((0, top, picture.width, bottom)).tobytes())
    return digest.hexdigest()


def _describe_look(picture: Image.Image, facts: PictureFacts) -> None:
    """Fill in colours and perceptual hash, all from one thumbnail: they cost next to nothing."""
    size = (min(picture.width, _THUMBNAIL[0]), min(picture.height, _THUMBNAIL[1]))
    thumbnail = picture.resize(size, Image.Resampling.BOX, reducing_gap=2.0)
    grey = thumbnail.convert("L")
    counts = np.array(thumbnail.histogram() + grey.histogram()).reshape(4, len(_LEVELS))
    (facts.red, _), (facts.green, _), (facts.blue, _), measured = map(_measure_channel, counts)
    facts.brightness, facts.contrast = measured
    if min(picture.size) < _MIN_SIDE_TO_HASH:
        return
    compared = grey.resize((9, 8), Image.Resampling.LANCZOS)
    levels = np.asarray(compared).astype(np.int16)
    if levels.max() - levels.min() < _MIN_RANGE_TO_HASH:
        return
    steps = np.diff(levels, axis=1)
    plain = float((np.abs(steps) < _SAME_LEVEL).mean())
    if plain < _PLAIN:
        # As `imagehash.dhash`, from the 9×8 pixels that it would make again.
        facts.perceptual_hash = str(imagehash.ImageHash(steps > 0))
    if plain >= _NEARLY_PLAIN:
        colours = thumbnail.resize((8, 8), Image.Resampling.BOX).tobytes()
        facts.thumbnail = base64.b64encode(colours).decode()


def _measure_channel(counts: np.ndarray) -> tuple[float, float]:
    """Mean and standard deviation of a channel, from its histogram.

    From sums of integers: the same bits on every processor.
    """
    mean = int(counts @ _LEVELS) / int(counts.sum())
    mean_square = int(counts @ _LEVELS**2) / int(counts.sum())
    return round(mean, 2), round(math.sqrt(max(mean_square - mean**2, 0.0)), 2)
