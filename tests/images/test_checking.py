"""Checking: every file is either described whole or quarantined with a reason, never a crash."""

from __future__ import annotations

import hashlib
import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from graft.images.checking import OK, QUARANTINED, check_picture, describe_unreadable

MAX_PIXELS = 1_000_000
FORMATS = ["jpeg", "png", "ppm", "gif", "tiff", "webp", "bmp"]


def check(data, min_side=1):
    return check_picture(data, min_side, MAX_PIXELS)


def draw_noise(width=20, height=12, seed=0):
    random = np.random.default_rng(seed)
    return Image.fromarray(random.integers(0, 256, (height, width, 3), dtype=np.uint8))


def draw_photo(seed=0):
    """Large smooth shapes, as in a photograph."""
    return draw_noise(6, 6, seed).resize((96, 96), Image.Resampling.BICUBIC)


def test_a_whole_picture_is_described(encode):
    data = encode(draw_noise(20, 12), "png")
    facts = check(data)
    assert facts.sha256 == hashlib.sha256(data).hexdigest()
    assert (facts.width, facts.height) == (20, 12)
    assert (facts.mode, facts.format, facts.bytes) == ("RGB", "PNG", len(data))
    assert (facts.status, facts.reason) == (OK, "")


@pytest.mark.parametrize("file_format", FORMATS)
def test_the_format_is_told_by_the_content(encode, file_format):
    assert check(encode(draw_noise(), file_format)).format == file_format.upper()


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "I;16"])
def test_the_mode_is_that_of_the_file(encode, mode):
    facts = check(encode(draw_noise().convert("L").convert(mode), "png"))
    assert (facts.mode, facts.status) == (mode, OK)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_width_and_height_are_those_of_the_upright_picture(encode, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    facts = check(encode(draw_noise(20, 12), "jpeg", exif=exif))
    assert (facts.width, facts.height) == ((20, 12) if orientation < 5 else (12, 20))


def test_the_same_pixels_in_two_files_are_recognised(encode):
    one, other = (check(encode(draw_noise(), file_format)) for file_format in ("png", "bmp"))
    assert one.pixel_sha256 == other.pixel_sha256
    assert one.sha256 != other.sha256


def test_the_same_pixels_in_another_shape_are_another_picture(encode):
    one, other = (check(encode(Image.new("RGB", size), "png")) for size in [(2, 8), (4, 4)])
    assert one.pixel_sha256 != other.pixel_sha256


def test_one_changed_pixel_is_another_picture(encode):
    picture = draw_noise()
    before = check(encode(picture, "png"))
    picture.putpixel((3, 3), (1, 2, 3))
    assert check(encode(picture, "png")).pixel_sha256 != before.pixel_sha256


def count_different_bits(one, other):
    return (int(one.perceptual_hash, 16) ^ int(other.perceptual_hash, 16)).bit_count()


def test_the_perceptual_hash_is_near_for_pictures_that_look_alike(encode):
    picture = draw_photo()
    facts = check(encode(picture, "png"))
    smaller = check(encode(picture.resize((60, 70)), "jpeg", quality=60))
    other = check(encode(draw_photo(seed=1), "png"))
    assert count_different_bits(facts, smaller) <= 6
    assert count_different_bits(facts, other) > 16


@pytest.mark.parametrize(
    ("size", "min_side", "status"),
    [((1, 1), 2, QUARANTINED), ((8, 7), 8, QUARANTINED), ((8, 8), 8, OK), ((1, 1), 1, OK)],
)
def test_a_side_shorter_than_min_side_is_quarantined(encode, size, min_side, status):
    assert check(encode(Image.new("RGB", size), "png"), min_side).status == status


def test_the_reason_for_a_small_picture_names_its_size_and_the_limit(encode):
    facts = check(encode(Image.new("RGB", (9, 1)), "png"), min_side=8)
    assert facts.reason == "9×1 pixels, a side is shorter than the 8 of min_side"


def test_a_picture_cut_short_keeps_what_is_known_of_it(encode):
    data = encode(draw_noise(64, 48), "jpeg")[:-200]
    facts = check(data)
    assert facts.status == QUARANTINED
    assert facts.reason.startswith("damaged or cut short: ")
    assert (facts.width, facts.height, facts.format) == (64, 48, "JPEG")
    assert facts.sha256 == hashlib.sha256(data).hexdigest()
    assert facts.pixel_sha256 is None
    assert facts.perceptual_hash is None


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty file (0 bytes)"),
        (b"I am text, named 1.jpg", "not a picture, or of a format that Pillow cannot read"),
    ],
)
def test_what_is_no_picture_is_quarantined(data, reason):
    facts = check(data)
    assert (facts.status, facts.reason, facts.bytes) == (QUARANTINED, reason, len(data))


def test_a_decompression_bomb_is_quarantined(pack_bomb):
    facts = check(pack_bomb(20_000, 10_000))
    assert facts.status == QUARANTINED
    assert "max_pixels" in facts.reason


def test_a_file_that_cannot_be_read_is_quarantined_for_that_reason():
    facts = describe_unreadable("permission denied")
    assert (facts.status, facts.reason, facts.sha256) == (
        QUARANTINED, "permission denied", None
    )  # fmt: skip


def check_never_raises(data):
    facts = check(data)
    assert facts.status in {OK, QUARANTINED}
    assert bool(facts.reason) == (facts.status == QUARANTINED)
    assert "\n" not in facts.reason
    assert facts.bytes == len(data)


def save_small(file_format):
    exif = Image.Exif()
    exif[0x0112] = 6
    buffer = io.BytesIO()
    options = {"exif": exif} if file_format in {"jpeg", "png", "webp"} else {}
    draw_noise(9, 7).save(buffer, file_format, **options)
    return buffer.getvalue()


WHOLE = {file_format: save_small(file_format) for file_format in FORMATS}
# Where in the file (0 start, 1 end), how many bytes are cut there, and what is put there.
CHANGES = st.lists(
    st.tuples(st.floats(0, 1), st.integers(0, 8), st.binary(max_size=8)), min_size=1, max_size=5
)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("file_format", FORMATS)
@given(changes=CHANGES)
@settings(max_examples=100, deadline=None)
def test_no_damaged_picture_raises(file_format, changes):
    data = bytearray(WHOLE[file_format])
    for place, cut, put in changes:
        start = round(place * len(data))
        data[start : start + cut] = put
    check_never_raises(bytes(data))


# The first bytes lead into the decoders, which plain noise would hardly ever reach.
STARTS = [
    b"", b"\xff\xd8\xff\xe0", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", b"GIF89a", b"II*\0", b"MM\0*",
    b"RIFF\x10\0\0\0WEBPVP8 ", b"BM", b"P6 2 2 255\n", b"\0\0\1\0", b"8BPS\0\1", b"\x0a\x05\x01",
]  # fmt: skip


@pytest.mark.filterwarnings("ignore")
@given(start=st.sampled_from(STARTS), rest=st.binary(max_size=200))
@settings(max_examples=300, deadline=None)
def test_no_bytes_at_all_raise(start, rest):
    check_never_raises(start + rest)


@pytest.mark.shared
def test_real_photographs_are_all_usable(shared):
    files = sorted((shared / "data" / "cats_vs_dogs").glob("*.jpg"))[:100]
    facts = [check(file.read_bytes(), min_side=8) for file in files]
    assert [fact.status for fact in facts] == [OK] * 100
    assert len({fact.pixel_sha256 for fact in facts}) == 100
