"""Decoding: whatever lies in a picture file, the network sees upright 8-bit RGB on white."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageFile, TiffImagePlugin

from graft.errors import PictureError
from graft.images import decoding
from graft.images.decoding import decode_picture, find_values, open_picture, to_rgb

MAX_PIXELS = 1_000_000
RED, GREEN, BLUE, WHITE = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)


def fill(mode, colour, size=(8, 8)):
    return Image.new(mode, size, colour)


def read(data, image_size=8):
    return decode_picture(data, image_size, MAX_PIXELS)


def check_colour(pixels, colour, tolerance=0):
    np.testing.assert_allclose(pixels, np.broadcast_to(colour, pixels.shape), atol=tolerance)


def test_a_decoded_picture_is_a_square_of_8_bit_rgb(encode):
    pixels = read(encode(fill("RGB", RED, (30, 20)), "png"), image_size=16)
    assert pixels.shape == (16, 16, 3)
    assert pixels.dtype == np.uint8


def test_a_picture_of_the_right_size_keeps_every_pixel(encode):
    drawn = np.random.default_rng(0).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    np.testing.assert_array_equal(read(encode(Image.fromarray(drawn), "png")), drawn)


def test_a_picture_is_squashed_and_not_cropped(encode):
    drawn = np.zeros((16, 64, 3), dtype=np.uint8)
    drawn[:, 32:] = 255
    pixels = read(encode(Image.fromarray(drawn), "png"))
    assert (pixels[:, :3] == 0).all()
    assert (pixels[:, 5:] == 255).all()


def test_a_checkerboard_of_single_pixels_shrinks_to_mid_grey(encode):
    board = np.indices((64, 64)).sum(axis=0) % 2 * 255
    # Without an antialiasing filter every sample would hit a black or a white pixel.
    check_colour(read(encode(Image.fromarray(np.uint8(board)), "png")), 127.5, tolerance=4)


@pytest.mark.parametrize(
    ("mode", "colour", "file_format", "expected"),
    [
        ("1", 1, "png", WHITE),
        ("1", 0, "png", (0, 0, 0)),
        ("L", 100, "png", (100, 100, 100)),
        ("L", 100, "bmp", (100, 100, 100)),
        ("RGB", BLUE, "ppm", BLUE),
        ("RGB", BLUE, "tiff", BLUE),
        ("LA", (100, 255), "png", (100, 100, 100)),
        ("LA", (100, 0), "png", WHITE),
        ("RGBA", (*RED, 255), "png", RED),
        ("RGBA", (*RED, 0), "png", WHITE),
        ("RGBA", (*RED, 0), "tiff", WHITE),
        ("RGBA", (*RED, 51), "png", (255, 204, 204)),
        ("I;16", 0, "png", (0, 0, 0)),
        ("I;16", 32768, "png", (128, 128, 128)),
        ("I;16", 65535, "png", WHITE),
        ("I;16", 32768, "tiff", (128, 128, 128)),
        ("I", 32768, "tiff", (128, 128, 128)),
    ],
)
def test_every_pixel_format_becomes_rgb(encode, mode, colour, file_format, expected):
    check_colour(read(encode(fill(mode, colour), file_format)), expected)


@pytest.mark.parametrize(("colour", "expected"), [("red", RED), ("black", (0, 0, 0))])
def test_a_cmyk_jpeg_keeps_its_colours(encode, colour, expected):
    data = encode(Image.new("RGB", (8, 8), colour).convert("CMYK"), "jpeg", quality=95)
    assert open_picture(data, MAX_PIXELS).mode == "CMYK"
    check_colour(read(data), expected, tolerance=3)


def make_palette_picture():
    picture = Image.new("P", (8, 8), 0)
    picture.putpalette([*RED, *GREEN])
    picture.paste(1, (4, 0, 8, 8))
    return picture


@pytest.mark.parametrize("file_format", ["png", "gif"])
def test_a_palette_picture_has_the_colours_of_its_palette(encode, file_format):
    pixels = read(encode(make_palette_picture(), file_format))
    check_colour(pixels[:, :4], RED)
    check_colour(pixels[:, 4:], GREEN)


@pytest.mark.parametrize("file_format", ["png", "gif"])
def test_the_transparent_colour_of_a_palette_becomes_white(encode, file_format):
    pixels = read(encode(make_palette_picture(), file_format, transparency=1))
    check_colour(pixels[:, :4], RED)
    check_colour(pixels[:, 4:], WHITE)


def test_the_transparent_colour_of_an_rgb_png_becomes_white(encode):
    check_colour(read(encode(fill("RGB", RED), "png", transparency=RED)), WHITE)


def test_of_an_animation_the_first_frame_is_seen(encode):
    frames = [fill("P", 0), fill("P", 1)]
    for frame in frames:
        frame.putpalette([*RED, *GREEN])
    data = encode(frames[0], "gif", save_all=True, append_images=frames[1:])
    assert open_picture(data, MAX_PIXELS).n_frames == 2
    check_colour(read(data), RED)


def encode_floats(encode, pixels):
    return encode(Image.fromarray(np.array(pixels, dtype=np.float32)), "tiff")


@pytest.mark.parametrize(("low", "high"), [(0, 1), (-3, 5), (0, 100_000)])
def test_floating_point_pixels_are_spread_over_all_greys(encode, low, high):
    ramp = np.linspace(low, high, 64).reshape(8, 8)
    pixels = read(encode_floats(encode, ramp))
    np.testing.assert_allclose(pixels[..., 0].ravel(), np.linspace(0, 255, 64).round(), atol=1)


def test_floating_point_pixels_that_are_all_equal_become_black(encode):
    check_colour(read(encode_floats(encode, np.full((8, 8), 7.0))), 0)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("strange", [np.nan, np.inf, -np.inf])
def test_one_strange_floating_point_pixel_does_not_spoil_the_others(encode, strange):
    ramp = np.linspace(0, 1, 64).reshape(8, 8)
    plain = read(encode_floats(encode, ramp))
    ramp[3, 3] = strange
    spoilt = read(encode_floats(encode, ramp))
    others = np.ones((8, 8), dtype=bool)
    others[3, 3] = False
    np.testing.assert_array_equal(spoilt[others], plain[others])


# How a camera stores an upright picture under each EXIF orientation: what the standard calls
# the sides of the scene where row 0 and column 0 of the file lie.
STORED = {
    1: lambda upright: upright,
    2: lambda upright: upright[:, ::-1],
    3: lambda upright: upright[::-1, ::-1],
    4: lambda upright: upright[::-1],
    5: lambda upright: upright.swapaxes(0, 1),
    6: lambda upright: np.rot90(upright),
    7: lambda upright: np.rot90(upright)[:, ::-1],
    8: lambda upright: np.rot90(upright, -1),
}


@pytest.mark.parametrize("orientation", STORED)
def test_a_picture_lies_upright_after_decoding(encode, orientation):
    upright = np.zeros((32, 64, 3), dtype=np.uint8)
    upright[:16, :32], upright[:16, 32:], upright[16:, :32] = RED, GREEN, BLUE
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = Image.fromarray(np.ascontiguousarray(STORED[orientation](upright)))
    data = encode(stored, "jpeg", exif=exif, quality=95, subsampling=0)
    np.testing.assert_allclose(to_rgb(open_picture(data, MAX_PIXELS)), upright, atol=4)


@pytest.mark.parametrize("file_format", ["jpeg", "png", "webp", "tiff", "avif"])
def test_every_format_that_knows_of_upright_is_believed(encode, file_format):
    upright = np.full((32, 64, 3), RED, dtype=np.uint8)
    upright[:, 32:] = BLUE
    exif = Image.Exif()
    exif[0x0112] = 6
    stored = Image.fromarray(np.ascontiguousarray(np.rot90(upright)))
    picture = to_rgb(open_picture(encode(stored, file_format, exif=exif), MAX_PIXELS))
    assert picture.size == (64, 32)
    check_colour(np.asarray(picture)[4:28, 4:28], RED, tolerance=8)
    check_colour(np.asarray(picture)[4:28, 36:60], BLUE, tolerance=8)


def test_a_picture_in_cielab_keeps_its_colours(encode):
    # L* 53, a* 80, b* 67 is the red of sRGB; a* and b* are stored as signed bytes.
    data = encode(fill("LAB", (136, 80 + 128, 67 + 128)), "tiff")
    assert open_picture(data, MAX_PIXELS).mode == "LAB"
    check_colour(read(data), (255, 0, 0), tolerance=12)


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")
@pytest.mark.parametrize(
    "exif",
    [
        b"Exif\0\0",
        b"Exif\0\0not a TIFF header",
        b"Exif\0\0II*\0\xff\xff\xff\xff",
        b"Exif\0\0MM\0*\0\0\0\x08\0\x05\x01\x12",
        b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x63\0\0\0\0\0\0",
        b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x02\0\0\0\x04abcd\0\0\0\0",
    ],
    ids=["empty", "no header", "far away", "cut short", "orientation 99", "orientation as text"],
)
def test_damaged_exif_data_does_not_spoil_a_whole_picture(encode, exif):
    data = encode(fill("RGB", WHITE), "jpeg", exif=exif)
    check_colour(read(data), WHITE)


def test_an_empty_file_is_refused():
    with pytest.raises(PictureError, match=r"^empty file \(0 bytes\)$"):
        read(b"")


@pytest.mark.parametrize("data", [b"not a picture", b"<html>404</html>", bytes(1000), b"\xff\xd8"])
def test_a_file_that_is_no_picture_is_refused(data):
    with pytest.raises(PictureError, match=r"^not a picture, or of a format that Pillow cannot"):
        read(data)


@pytest.mark.parametrize("file_format", ["jpeg", "png", "gif", "tiff", "webp", "bmp", "ppm"])
def test_a_picture_cut_short_is_refused_in_one_line(encode, file_format):
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    data = encode(Image.fromarray(noise), file_format)
    with pytest.raises(PictureError, match=r"^(damaged or cut short: .|not a picture)") as error:
        read(data[: len(data) // 2])
    assert "\n" not in str(error.value)


def test_a_jpeg_cut_short_is_called_damaged(encode):
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    data = encode(Image.fromarray(noise), "jpeg")
    with pytest.raises(PictureError, match=r"^damaged or cut short: image file is truncated"):
        read(data[:-100])


def test_a_part_is_what_a_file_of_its_own_would_be(encode):
    noise = np.random.default_rng(0).integers(0, 256, (30, 40, 3), dtype=np.uint8)
    whole, part = (encode(Image.fromarray(pixels), "png") for pixels in (noise, noise[5:25, 8:18]))
    pixels = decode_picture(whole, 8, MAX_PIXELS, crop=(8, 5, 18, 25))
    np.testing.assert_array_equal(pixels, read(part))


@pytest.mark.parametrize("crop", [(0, 0, 9, 8), (4, 4, 4, 8), (-1, 0, 8, 8)])
def test_a_part_that_leaves_the_picture_or_is_empty_is_refused(encode, crop):
    with pytest.raises(PictureError, match=r"^its crop (leaves|is empty)"):
        decode_picture(encode(fill("RGB", RED), "png"), 8, MAX_PIXELS, crop)


@pytest.mark.parametrize("dtype", [np.uint16, np.float32])
def test_a_large_picture_of_deep_pixels_is_scaled_as_a_whole(encode, dtype):
    pixels = np.zeros((1_200, 1_000), dtype)
    pixels[-1, -1], pixels[0, 0] = 60_000, 30_000
    scaled = np.asarray(to_rgb(open_picture(encode(Image.fromarray(pixels), "tiff"), 10**7)))
    highest = 60_000 if dtype == np.float32 else 65_535
    assert scaled[-1, -1, 0] == round(255 * 60_000 / highest)
    assert scaled[0, 0, 0] == round(255 * 30_000 / highest + 1e-9)
    assert scaled[5, 5, 0] == 0


def test_too_little_memory_is_not_called_a_fault_of_the_picture(encode, monkeypatch):
    def fail(self):
        raise MemoryError

    monkeypatch.setattr(ImageFile.ImageFile, "load", fail)
    with pytest.raises(MemoryError):
        read(encode(fill("RGB", RED), "png"))


def test_a_reason_holds_no_control_characters(encode, monkeypatch):
    def fail(self):
        raise OSError("\x1b[31mred\nline\x00")

    monkeypatch.setattr(ImageFile.ImageFile, "load", fail)
    with pytest.raises(PictureError, match=r"^damaged or cut short: \[31mred line$"):
        read(encode(fill("RGB", RED), "png"))


@pytest.fixture
def decoding_forbidden(monkeypatch):
    def fail(self):
        raise AssertionError("the pixels were decoded")

    monkeypatch.setattr(ImageFile.ImageFile, "load", fail)


@pytest.mark.parametrize(
    ("width", "height"),
    [(20_000, 10_000), (12_000, 10_000), (1_001, 1_000)],
    ids=["above Pillow's second limit", "above Pillow's first limit", "below Pillow's limits"],
)
# The module sets this filter when it is imported; pytest sets all filters anew for each test.
@pytest.mark.filterwarnings("error::PIL.Image.DecompressionBombWarning")
@pytest.mark.usefixtures("decoding_forbidden")
def test_a_decompression_bomb_is_refused_by_its_header(pack_bomb, width, height):
    data = pack_bomb(width, height)
    assert len(data) < 200_000
    with pytest.raises(PictureError, match=r"more than the 1,000,000 .*that max_pixels allows"):
        read(data)


def test_a_picture_of_just_max_pixels_is_read(pack_bomb):
    check_colour(read(pack_bomb(1_000, 1_000)), 0)


def make_ramp(high, dtype=np.uint16):
    return np.linspace(0, high, 64 * 64).reshape(64, 64).astype(dtype)


DEEP = {
    "12 bits in a PNG": (4095, np.uint16, "png"),
    "10 bits in a PNG": (1023, np.uint16, "png"),
    "14 bits in a TIFF": (16383, np.uint16, "tiff"),
    "16 bits in a PNG": (65535, np.uint16, "png"),
    "8 bits in a PNG of 16": (255, np.uint16, "png"),
    "whole numbers of 32 bits": (4095, np.int32, "tiff"),
    "millions": (3_000_000, np.int32, "tiff"),
}


@pytest.mark.parametrize(("high", "dtype", "format_"), DEEP.values(), ids=DEEP)
def test_values_of_more_than_8_bits_become_usable_greys(encode, high, dtype, format_):
    data = encode(Image.fromarray(make_ramp(high, dtype)), format_)
    greys = decode_picture(data, 64, 10**6)[..., 0]
    assert greys.min() == 0
    assert greys.max() >= 253
    assert len(np.unique(greys)) >= 250


def test_a_dark_picture_stays_dark_where_the_range_of_all_is_known(encode):
    dark = encode(Image.fromarray(make_ramp(500)), "png")
    assert decode_picture(dark, 64, 10**6, value_range=(0, 4095)).max() == 31
    bright = encode(Image.fromarray(make_ramp(9000)), "png")
    assert decode_picture(bright, 64, 10**6, value_range=(0, 4095)).max() == 255


def test_numbers_below_zero_have_a_range_of_their_own(encode):
    values = (make_ramp(4000, np.int32) - 1000).astype(np.int32)
    data = encode(Image.fromarray(values), "tiff")
    assert find_values(open_picture(data, 10**6)) == (-1000, 3000)
    greys = decode_picture(data, 64, 10**6)[..., 0]
    assert (greys.min(), greys.max()) == (0, 255)


def test_the_tags_of_a_file_say_what_its_values_can_be(encode):
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    tags[340], tags[341] = 0, 16383
    data = encode(Image.fromarray(make_ramp(900)), "tiff", tiffinfo=tags)
    assert find_values(open_picture(data, 10**6)) == (0, 16383)


@pytest.mark.parametrize("mode", ["L", "RGB", "P", "1"])
def test_pictures_of_8_bits_have_no_such_range(encode, mode):
    assert find_values(open_picture(encode(Image.new(mode, (9, 9)), "png"), 100)) is None


def test_heic_names_what_reads_it(monkeypatch):
    monkeypatch.setattr(decoding, "list_formats", lambda: ["JPEG", "PNG"])
    data = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(100)
    with pytest.raises(PictureError, match=r"a HEIC picture, .*install pillow-heif"):
        open_picture(data, 10**6)


def test_heic_is_read_with_its_extra(encode):
    pillow_heif = pytest.importorskip("pillow_heif")
    pillow_heif.register_heif_opener()
    decoding.list_formats.cache_clear()
    data = encode(fill("RGB", RED, (64, 64)), "HEIF")
    check_colour(read(data), RED, tolerance=8)
