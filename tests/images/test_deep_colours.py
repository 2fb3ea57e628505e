"""Pictures of 16 bits a channel: colours are as deep as greys, not their upper 8 bits alone."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image

from graft.errors import PictureError
from graft.images.checking import check_picture
from graft.images.decoding import find_values, open_picture, to_rgb


def write_png(pixels: np.ndarray) -> bytes:
    """A PNG of 16 bits a channel, which Pillow does not write; (H, W, 2, 3 or 4)."""
    height, width, channels = pixels.shape
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in pixels)
    kind = {2: 4, 3: 2, 4: 6}[channels]
    header = struct.pack(">IIBBBBB", width, height, 16, kind, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        for name, data in chunks
    )


def write_tiff(
    pixels: np.ndarray,
    order: str = "<",
    deflate: bool = False,
    planes: bool = False,
    tags: dict[int, int] | None = None,
) -> bytes:
    """A TIFF of 16 bits a channel, (H, W, 3 or 4), plain or through libtiff, perhaps in planes."""
    height, width, channels = pixels.shape
    values = pixels.astype(f"{order}u2")
    parts = [*np.moveaxis(values, -1, 0)] if planes else [values]
    strips = [zlib.compress(part.tobytes()) if deflate else part.tobytes() for part in parts]
    sizes = tuple(map(len, strips))
    offsets = tuple(8 + sum(sizes[:number]) for number in range(len(sizes)))
    data = b"".join(strips)
    entries: dict[int, tuple[int, ...]] = {
        256: (width,), 257: (height,), 258: (16,) * channels, 259: (8 if deflate else 1,),
        262: (2,), 273: offsets, 277: (channels,), 278: (height,), 279: sizes, 284: (1 + planes,),
        **({338: (2,)} if channels == 4 else {}), **{tag: (n,) for tag, n in (tags or {}).items()},
    }  # fmt: skip
    start = 8 + len(data) + len(data) % 2
    place = start + 2 + 12 * len(entries) + 4
    directory, outside = struct.pack(f"{order}H", len(entries)), b""
    for tag, values in sorted(entries.items()):
        kind, code = (4, "I") if tag in (273, 279) else (3, "H")
        packed = struct.pack(f"{order}{len(values)}{code}", *values)
        if len(packed) > 4:
            packed, outside = struct.pack(f"{order}I", place + len(outside)), outside + packed
        directory += struct.pack(f"{order}HHI", tag, kind, len(values)) + packed.ljust(4, b"\0")
    mark = b"II*\0" if order == "<" else b"MM\0*"
    return (
        mark + struct.pack(f"{order}I", start) + data.ljust(start - 8, b"\0") + directory
        + bytes(4) + outside
    )  # fmt: skip


WRITERS: dict[str, Callable[[np.ndarray], bytes]] = {
    "PNG": write_png,
    "TIFF, little end first": write_tiff,
    "TIFF, big end first": lambda pixels: write_tiff(pixels, ">"),
    "TIFF, compressed": lambda pixels: write_tiff(pixels, deflate=True),
    "TIFF, compressed, big end first": lambda pixels: write_tiff(pixels, ">", deflate=True),
    "TIFF, in planes": lambda pixels: write_tiff(pixels, planes=True),
    "TIFF, in planes, big end first": lambda pixels: write_tiff(pixels, ">", planes=True),
}


def draw(high: int, channels: int = 3) -> np.ndarray:
    pixels = np.random.default_rng(0).integers(0, high + 1, (9, 11, channels)).astype(np.uint16)
    pixels[0, 0] = high
    if channels in (2, 4):
        pixels[..., -1] = 65535
    return pixels


@pytest.mark.parametrize("write", WRITERS.values(), ids=WRITERS)
@pytest.mark.parametrize("high", [1023, 4095, 65535])
@pytest.mark.parametrize("channels", [3, 4])
def test_every_bit_counts(write: Callable, high: int, channels: int) -> None:
    pixels = draw(high, channels)
    picture = open_picture(write(pixels), 1000)
    assert find_values(picture) == (pixels[..., :3].min(), high)
    expected = np.floor(pixels[..., :3].astype(float) / high * 255 + 0.5)
    np.testing.assert_array_equal(np.asarray(to_rgb(picture)), expected)


def test_greys_with_alpha_are_as_deep() -> None:
    pixels = draw(4095, channels=2)
    shown = np.asarray(to_rgb(open_picture(write_png(pixels), 1000)))
    expected = np.floor(pixels[..., :1].astype(float) / 4095 * 255 + 0.5)
    np.testing.assert_array_equal(shown, np.broadcast_to(expected, shown.shape))


def test_what_is_transparent_lies_on_white() -> None:
    pixels = draw(4095, channels=4)
    pixels[3, 4, 3] = 0
    assert np.asarray(to_rgb(open_picture(write_png(pixels), 1000)))[3, 4].tolist() == [255] * 3


def test_the_range_of_the_set_and_the_tags_of_the_file_count_as_for_greys() -> None:
    pixels = draw(1000)
    shown = to_rgb(open_picture(write_png(pixels), 1000), value_range=(0, 4095))
    assert np.asarray(shown).max() == round(255 * 1000 / 4095)
    tagged = write_tiff(pixels, tags={340: 0, 341: 16383})
    assert find_values(open_picture(tagged, 1000)) == (0, 16383)
    facts = check_picture(write_png(pixels), min_side=4, max_pixels=1000)
    assert (facts.status, facts.mode, facts.value_high) == ("ok", "RGB", 1000)


def test_a_picture_is_turned_upright_after_its_depth_is_settled() -> None:
    pixels = draw(4095)
    turned = write_tiff(pixels, tags={274: 6})
    upright = np.asarray(to_rgb(open_picture(turned, 1000)))
    plain = np.asarray(to_rgb(open_picture(write_tiff(pixels), 1000)))
    np.testing.assert_array_equal(upright, np.rot90(plain, -1))


@pytest.mark.parametrize("write", [write_png, write_tiff])
def test_a_picture_that_is_cut_short_is_told(write: Callable) -> None:
    data = write(draw(4095))
    with pytest.raises(PictureError, match=r"damaged or cut short|not a picture"):
        to_rgb(open_picture(data[: len(data) // 2], 1000))


def test_what_pillow_would_read_wrong_is_refused() -> None:
    with pytest.raises(PictureError, match=r"a compressed plane a colour.*: save it without"):
        open_picture(write_tiff(draw(4095), deflate=True, planes=True), 1000)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "LA", "P", "CMYK"])
def test_8_bits_are_none_of_this(mode: str) -> None:
    buffer = io.BytesIO()
    Image.new(mode, (9, 9)).save(buffer, "tiff")
    assert find_values(open_picture(buffer.getvalue(), 100)) is None
