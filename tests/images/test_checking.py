"""Checking: every file is either described whole or quarantined with a reason, never a crash."""

from __future__ import annotations

import hashlib
from dataclasses import asdict
from itertools import combinations

import numpy as np
import pytest
from PIL import Image

from graft.images.checking import OK, QUARANTINED, check_picture, describe_unusable

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
    assert one.bytes != other.bytes


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
    facts = describe_unusable("permission denied")
    assert (facts.status, facts.reason, facts.sha256, facts.bytes) == (
        QUARANTINED, "permission denied", None, 0
    )  # fmt: skip


def test_of_a_file_that_could_be_read_and_not_checked_the_content_is_known():
    facts = describe_unusable("crashes its decoder", "a1", 7)
    assert (facts.sha256, facts.bytes) == ("a1", 7)
    assert (facts.status, facts.bytes, facts.pixel_sha256) == (QUARANTINED, 7, None)


def draw_halves(left=(10, 20, 30), right=(110, 220, 130), size=(200, 100)):
    picture = Image.new("RGB", size, left)
    picture.paste(right, (size[0] // 2, 0, *size))
    return picture


@pytest.mark.parametrize("size", [(200, 100), (10, 6), (2, 1)])
def test_the_colours_are_means_of_all_pixels(encode, size):
    facts = check(encode(draw_halves(size=size), "png"))
    assert (facts.red, facts.green, facts.blue) == (60, 120, 80)


def test_brightness_and_contrast_are_mean_and_deviation_of_luma(encode):
    facts = check(encode(draw_halves((0, 0, 0), (200, 200, 200)), "png"))
    assert (facts.brightness, facts.contrast) == (100, 100)
    pure = check(encode(Image.new("RGB", (50, 50), (0, 255, 0)), "png"))
    assert pure.brightness == pytest.approx(0.587 * 255, abs=0.5)


def test_a_picture_of_one_colour_has_no_contrast(encode):
    assert check(encode(Image.new("RGB", (50, 50), "red"), "png")).contrast == 0


def test_the_look_of_a_photograph_is_that_of_its_pixels(encode):
    picture = draw_photo()
    facts = check(encode(picture, "png"))
    pixels = np.asarray(picture)
    np.testing.assert_allclose(
        (facts.red, facts.green, facts.blue), pixels.mean(axis=(0, 1)), atol=0.5
    )
    luma = np.asarray(picture.convert("L"), float)
    assert facts.brightness == pytest.approx(luma.mean(), abs=0.7)
    assert facts.contrast == pytest.approx(luma.std(), rel=0.02)


@pytest.mark.parametrize(("size", "is_hashed"), [((31, 96), False), ((32, 96), True)])
def test_a_picture_with_too_few_pixels_has_no_perceptual_hash(encode, size, is_hashed):
    facts = check(encode(draw_photo().resize(size), "png"))
    assert (facts.perceptual_hash is not None) == is_hashed
    assert facts.status == OK


@pytest.mark.parametrize(("step", "is_hashed"), [(0, False), (4, False), (30, True)])
def test_a_flat_picture_has_nothing_to_compare(encode, step, is_hashed):
    picture = draw_halves((100, 100, 100), (100 + step,) * 3)
    facts = check(encode(picture, "png"))
    # Of two plain halves the colours are compared: the hash would be that of any two.
    assert facts.perceptual_hash is None
    assert (facts.thumbnail is not None) == is_hashed


def test_a_part_is_described_as_if_it_were_a_file_of_its_own(encode):
    photo = draw_photo()
    part = check(encode(photo.crop((10, 20, 90, 70)), "png"))
    facts = check_picture(encode(photo, "png"), 1, MAX_PIXELS, crop=(10, 20, 90, 70))
    of_the_file = {"bytes"}
    for name, value in asdict(part).items():
        assert (getattr(facts, name) == value) != (name in of_the_file), name


def test_a_part_is_cut_from_the_upright_picture(encode):
    exif = Image.Exif()
    exif[0x0112] = 6
    data = encode(draw_noise(20, 12), "png", exif=exif)
    facts = check_picture(data, 1, MAX_PIXELS, crop=(0, 10, 12, 20))
    assert (facts.width, facts.height, facts.status) == (12, 10, OK)


@pytest.mark.parametrize(
    ("crop", "reason"),
    [
        ((5, 5, 5, 9), "its crop is empty: 5,5,5,9 (left, top, right, bottom)"),
        ((9, 5, 5, 9), "its crop is empty: 9,5,5,9 (left, top, right, bottom)"),
        (
            (5, 5, 21, 9),
            "its crop leaves the picture of 20×12 pixels: 5,5,21,9 (left, top, right, bottom)",
        ),
        (
            (-1, 0, 5, 9),
            "its crop leaves the picture of 20×12 pixels: -1,0,5,9 (left, top, right, bottom)",
        ),
        ((2, 2, 12, 9), "10×7 pixels, a side is shorter than the 8 of min_side"),
    ],
)
def test_a_part_that_cannot_be_used_is_quarantined(encode, crop, reason):
    facts = check_picture(encode(draw_noise(20, 12), "png"), 8, MAX_PIXELS, crop)
    assert (facts.status, facts.reason, facts.pixel_sha256) == (QUARANTINED, reason, None)


def test_the_pixel_hash_of_a_tall_picture_is_that_of_all_its_rows(encode):
    picture = draw_noise(3, 700)
    expected = hashlib.sha256(b"(3, 700)" + picture.tobytes()).hexdigest()
    assert check(encode(picture, "png")).pixel_sha256 == expected


@pytest.mark.shared
def test_real_photographs_are_all_usable(shared):
    files = sorted((shared / "data" / "cats_vs_dogs").glob("*.jpg"))[:100]
    facts = [check(file.read_bytes(), min_side=8) for file in files]
    assert [fact.status for fact in facts] == [OK] * 100
    assert len({fact.pixel_sha256 for fact in facts}) == 100


def distance_of_resaved(photo, encode):
    half = photo.resize((photo.width // 2, photo.height // 2), Image.Resampling.BICUBIC)
    return count_different_bits(
        check(encode(photo, "png", compress_level=0)), check(encode(half, "jpeg", quality=60))
    )


@pytest.mark.shared
def test_real_photographs_are_near_their_copies_and_far_from_each_other(shared, encode):
    files = sorted((shared / "data" / "cats_vs_dogs").glob("*.jpg"))[:60]
    photos = [Image.open(file).convert("RGB") for file in files]
    distances = [distance_of_resaved(photo, encode) for photo in photos]
    assert sum(distance <= 4 for distance in distances) >= 58
    facts = [check(file.read_bytes()) for file in files]
    assert min(count_different_bits(*pair) for pair in combinations(facts, 2)) > 4
