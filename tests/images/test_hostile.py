"""Hostile files: whatever the bytes, they are described or refused with a reason, and soon."""

from __future__ import annotations

import io
import struct
import time
import zlib
from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from graft.compute.workers import Failure, Limits, map_isolated
from graft.images.checking import OK, QUARANTINED, check_picture

MAX_PIXELS = 1_000_000
# Pillow warns of much that is odd in a file; the workers show none of it.
pytestmark = pytest.mark.filterwarnings("ignore")


def draw_noise(width=9, height=7):
    random = np.random.default_rng(0)
    return Image.fromarray(random.integers(0, 256, (height, width, 3), dtype=np.uint8))


def save(file_format, picture=None, **options):
    buffer = io.BytesIO()
    (picture or draw_noise()).save(buffer, file_format, **options)
    return buffer.getvalue()


def save_upright(file_format, **options):
    exif = Image.Exif()
    exif[0x0112] = 6
    return save(file_format, exif=exif, **options)


def save_frames(file_format, **options):
    frames = [draw_noise().rotate(angle) for angle in (0, 90, 180)]
    return save(file_format, frames[0], save_all=True, append_images=frames[1:], **options)


WHOLE = {
    "JPEG": save_upright("jpeg"),
    "progressive JPEG": save("jpeg", progressive=True, comment=b"taken by me"),
    "PNG": save_upright("png"),
    "palette PNG": save("png", draw_noise().convert("P"), transparency=3),
    "PPM": save("ppm"),
    "GIF": save("gif"),
    "animated GIF": save_frames("gif"),
    "TIFF": save("tiff"),
    "TIFF of pages": save_frames("tiff"),
    "packed TIFF": save("tiff", compression="tiff_lzw"),
    "WebP": save_upright("webp"),
    "animated WebP": save_frames("webp", lossless=True),
    "BMP": save("bmp"),
    "icon": save("ico", draw_noise(16, 16)),
    "JPEG 2000": save("jpeg2000", draw_noise(32, 32)),
}


def check(data):
    return check_picture(data, 1, MAX_PIXELS)


def assert_accounted_for(data):
    facts = check(data)
    assert facts.status in {OK, QUARANTINED}
    assert bool(facts.reason) == (facts.status == QUARANTINED)
    assert facts.reason.isprintable()
    assert facts.bytes == len(data)


# Lengths, counts and sizes that a header should not hold.
EXTREMES = [
    b"\0" * 4,
    b"\xff" * 4,
    b"\x7f\xff\xff\xff",
    b"\xff\xff\xff\x7f",
    b"\0\0\0\x80",
    b"\0\1",
]
PLACE = st.floats(0, 1)
CHANGES = st.lists(
    st.one_of(
        st.tuples(st.just("flip"), PLACE, st.integers(1, 255)),
        st.tuples(st.just("cut"), PLACE, st.integers(1, 40)),
        st.tuples(st.just("insert"), PLACE, st.binary(min_size=1, max_size=8)),
        st.tuples(st.just("splice"), PLACE, st.sampled_from(sorted(WHOLE))),
        st.tuples(st.just("header"), st.integers(0, 80), st.sampled_from(EXTREMES)),
    ),
    min_size=1,
    max_size=6,
)


def mutate(data, changes):
    data = bytearray(data)
    for kind, place, value in changes:
        start = place if kind == "header" else int(place * len(data))
        if kind == "flip":
            data[start : start + 1] = bytes(byte ^ value for byte in data[start : start + 1])
        elif kind == "cut":
            del data[start : start + value]
        elif kind == "insert":
            data[start:start] = value
        elif kind == "splice":
            data[start:] = WHOLE[value][int(place * len(WHOLE[value])) :]
        else:
            data[start : start + len(value)] = value
    return bytes(data)


@pytest.mark.parametrize("kind", WHOLE)
@given(changes=CHANGES)
@settings(max_examples=60, deadline=None)
def test_no_damaged_picture_raises(kind, changes):
    assert_accounted_for(mutate(WHOLE[kind], changes))


@pytest.mark.parametrize("kind", WHOLE)
def test_no_picture_cut_short_raises(kind):
    for length in range(0, len(WHOLE[kind]), 7):
        assert_accounted_for(WHOLE[kind][:length])


# The first bytes lead into the decoders, which plain noise would hardly ever reach.
STARTS = [
    b"", b"\xff\xd8\xff\xe0", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", b"GIF89a", b"II*\0", b"MM\0*",
    b"RIFF\x10\0\0\0WEBPVP8 ", b"BM", b"P6 2 2 255\n", b"\0\0\1\0", b"8BPS\0\1", b"\x0a\x05\x01",
    b"%!PS-Adobe", b"II+\0\x08\0\0\0", b"\0\0\0\x0cjP  \r\n\x87\n", b"icns", b"DDS ", b"/* XPM */",
    b"SIMPLE", b"\x59\xa6\x6a\x95", b"FORM\0\0\0\0", b"Image type: L\r\n",
]  # fmt: skip


@given(start=st.sampled_from(STARTS), rest=st.binary(max_size=200))
@settings(max_examples=400, deadline=None)
def test_no_bytes_at_all_raise(start, rest):
    assert_accounted_for(start + rest)


def make_chunk(kind, content):
    checksum = struct.pack(">I", zlib.crc32(kind + content))
    return struct.pack(">I", len(content)) + kind + content + checksum


def insert_chunks(chunks):
    """A PNG with chunks between its header and its pixels."""
    return WHOLE["PNG"][:33] + chunks + WHOLE["PNG"][33:]


def make_tiff(tags, rest=b""):
    head = b"II*\0" + struct.pack("<IH", 8, len(tags))
    return head + b"".join(struct.pack("<HHII", *tag) for tag in tags) + bytes(4) + rest


GREY_8X8 = [
    (256, 3, 1, 8), (257, 3, 1, 8), (258, 3, 1, 8), (259, 3, 1, 1), (262, 3, 1, 1),
    (273, 4, 1, 8), (277, 3, 1, 1), (278, 3, 1, 8), (279, 4, 1, 64),
]  # fmt: skip
# 100 MB of zeros, in 100 kB.
INFLATING = zlib.compress(bytes(100 * 2**20), 9)
EXIF_OF_MANY_TAGS = b"Exif\0\0MM\0*\0\0\0\x08" + struct.pack(">H", 4_900) + b"".join(
    struct.pack(">HHII", 1_000 + number, 2, 60_000, 0) for number in range(4_900)
)  # fmt: skip
TOO_LARGE = "damaged or cut short: Decompressed data too large"
TRAPS = {
    "text that inflates": (insert_chunks(make_chunk(b"zTXt", b"a\0\0" + INFLATING)), TOO_LARGE),
    "profile that inflates": (insert_chunks(make_chunk(b"iCCP", b"a\0\0" + INFLATING)), TOO_LARGE),
    "text that inflates after the pixels": (
        WHOLE["PNG"][:-12] + make_chunk(b"iTXt", b"a\0\1\0\0\0" + INFLATING) + WHOLE["PNG"][-12:],
        TOO_LARGE,
    ),
    "texts that inflate together": (
        insert_chunks(100 * make_chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(900_000)))),
        "damaged or cut short: Too much memory used in text chunks",
    ),
    "many empty chunks": (insert_chunks(50_000 * make_chunk(b"abCd", b"")), ""),
    "large text": (insert_chunks(make_chunk(b"tEXt", b"a\0" + bytes(10**7))), ""),
    "EXIF tags that all point at the whole": (save("jpeg", exif=EXIF_OF_MANY_TAGS), ""),
    "TIFF tags that all point at the same megabytes": (
        make_tiff(GREY_8X8 + [(1_000 + n, 1, 10**6, 8) for n in range(9_000)], bytes(10**6)), ""
    ),
    "TIFF of billions of tags": (
        b"II+\0\x08\0\0\0" + struct.pack("<QQ", 16, 2**40) + bytes(1_000),
        "not a picture",
    ),
    "TIFF tag of billions of numbers": (make_tiff([*GREY_8X8[:5], (273, 4, 2**31, 8)]), "not a pi"),
    "TIFF whose next page is the same page": (
        make_tiff(GREY_8X8)[:-4] + struct.pack("<I", 8) + bytes(64), ""
    ),
    "GIF with megabytes of comments": (
        WHOLE["GIF"][:13] + WHOLE["GIF"][13:781]
        + b"\x21\xfe" + 8_000 * (b"\xff" + 255 * b"a") + b"\0" + WHOLE["GIF"][781:], ""
    ),
    "icon of 65,535 pictures": (b"\0\0\1\0\xff\xff" + bytes(16 * 65_535), "damaged"),
    "numbers without end": (b"P3 900 900 " + 10**6 * b"9", "damaged or cut short: "),
    "PostScript, which is a program": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "not"),
    "Photoshop layers that are not there": (
        b"8BPS\0\1" + bytes(6) + struct.pack(">HIIHHIIII", 3, 8, 8, 8, 3, 0, 0, 10**6, 10**6 - 4)
        + struct.pack(">h", 32_767) + bytes(10**6), "damaged or cut short: "
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", TRAPS)
def test_a_trap_costs_little_and_hides_no_whole_picture(name):
    data, reason = TRAPS[name]
    started = time.process_time()
    facts = check(data)
    assert time.process_time() - started < 2
    assert facts.reason.startswith(reason)
    assert (facts.status == OK) == (not reason)


def repeat_last_scan(times):
    """A progressive JPEG of few bytes that is decoded again and again."""
    data = save("jpeg", Image.new("L", (4_000, 4_000)), progressive=True)
    scan = data[data.rindex(b"\xff\xda") : -2]
    return data[:-2] + times * scan + data[-2:]


def test_a_file_that_is_made_to_take_minutes_is_given_up():
    slow = repeat_last_scan(3_000)
    assert len(slow) < 500_000
    check = partial(check_picture, min_side=1, max_pixels=2 * 10**7)
    items = [{"data": data} for data in (WHOLE["PNG"], slow, WHOLE["PNG"])]
    before, failure, after = map_isolated(check, items, 1, Limits(0.5, 500))
    assert before == after == check(WHOLE["PNG"])
    assert failure == Failure(
        "takes longer to decode than the 0.5 s that seconds_per_picture allows"
    )


@pytest.mark.skipif("sys.platform != 'linux'", reason="a limit that Linux enforces")
def test_a_file_of_few_bytes_that_takes_much_memory_is_given_up(pack_bomb):
    check = partial(check_picture, min_side=1, max_pixels=80_000_000)
    items = [{"data": data} for data in (WHOLE["PNG"], pack_bomb(8_000, 8_000), WHOLE["PNG"])]
    before, failure, after = map_isolated(check, items, 1, Limits(20.0, memory_mb=100))
    assert before == after == check(WHOLE["PNG"])
    assert failure == Failure("takes more memory to decode than the 100 MB that memory_mb allows")


@pytest.mark.parametrize("kind", ["animated GIF", "TIFF of pages", "animated WebP"])
def test_of_many_frames_the_first_is_described(kind):
    file_format = {"animated GIF": "gif", "TIFF of pages": "tiff", "animated WebP": "webp"}[kind]
    options = {"lossless": True} if file_format == "webp" else {}
    many, one = check(WHOLE[kind]), check(save(file_format, **options))
    assert (many.status, many.format) == (OK, one.format)
    assert many.pixel_sha256 == one.pixel_sha256


@pytest.mark.parametrize("file_format", ["gif", "tiff", "webp"])
def test_frames_that_nobody_looks_at_cost_nothing(file_format):
    frames = [Image.new("RGB", (300, 300), (number, 0, 0)) for number in range(200)]
    data = save(file_format, frames[0], save_all=True, append_images=frames[1:])
    started = time.process_time()
    assert check(data).status == OK
    assert time.process_time() - started < 0.5


def make_icon(inside):
    """An icon that claims to be of 16×16 pixels, around a PNG of any size."""
    entry = struct.pack("<BBBBHHII", 16, 16, 0, 0, 1, 32, len(inside), 22)
    return struct.pack("<HHH", 0, 1, 1) + entry + inside


@pytest.mark.filterwarnings("error::PIL.Image.DecompressionBombWarning")
def test_a_bomb_in_an_icon_is_refused(pack_bomb):
    facts = check(make_icon(pack_bomb(20_000, 10_000)))
    assert facts.reason == "more than the 1,000,000 pixels that max_pixels allows"


# In 20,000 mutations of such data, ImageOps.exif_transpose refused one whole picture in forty.
@given(places=st.lists(st.tuples(PLACE, st.integers(0, 255)), min_size=1, max_size=4))
@settings(max_examples=200, deadline=None)
def test_damaged_exif_data_does_not_spoil_a_whole_picture(places):
    exif = Image.Exif()
    exif.update({0x0112: 6, 0x010F: "Canon", 0x011A: 72.0, 0x0132: "2020:01:01 00:00:00"})
    exif.get_ifd(0x8769).update({0x829A: 0.01, 0x927C: b"maker"})
    damaged = bytearray(exif.tobytes())
    for place, value in places:
        damaged[6 + int(place * (len(damaged) - 7))] = value
    assert check(save("jpeg", exif=bytes(damaged))).status == OK


def test_a_later_frame_that_is_damaged_does_not_spoil_the_first():
    whole = WHOLE["animated GIF"]
    assert check(whole[: len(whole) // 2 + 150]).status == OK
