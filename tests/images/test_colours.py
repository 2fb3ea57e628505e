"""One channel: lightness after the standard, grey as Pillow's, shown as three where need be."""

from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from graft.images.colours import copy_pictures, count_channels, measure_grey, measure_lightness
from graft.images.decoding import decode_picture


def _pixel(*colour: int) -> np.ndarray:
    return np.array(colour, np.uint8).reshape(1, 1, 3)


@pytest.mark.parametrize(
    ("colour", "lightness"),
    # L* of the sRGB primaries under D65, as published by Lindbloom (brucelindbloom.com).
    [((0, 0, 0), 0), ((255, 255, 255), 100), ((255, 0, 0), 53.24), ((0, 255, 0), 87.73),
     ((0, 0, 255), 32.30), ((119, 119, 119), 50.03)],
)  # fmt: skip
def test_lightness_is_that_of_the_standard(colour: tuple[int, ...], lightness: float) -> None:
    assert measure_lightness(_pixel(*colour)).item() == round(lightness * 2.55)


@given(st.integers(0, 254))
def test_a_lighter_grey_is_never_darker_in_lightness(value: int) -> None:
    lower, higher = (measure_lightness(_pixel(v, v, v)).item() for v in (value, value + 1))
    assert lower <= higher


@pytest.mark.parametrize(("colour", "channels"), [("rgb", 3), ("grey", 1), ("lab_l", 1)])
def test_a_decoded_picture_has_the_channels_of_its_colour(colour: str, channels: int) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (6, 6, 3), np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "png")
    decoded = decode_picture(buffer.getvalue(), 6, 1000, colour=colour)
    assert decoded.shape == (6, 6, channels)
    assert channels == count_channels(colour)
    expected = {"rgb": lambda p: p, "grey": measure_grey, "lab_l": measure_lightness}[colour]
    np.testing.assert_array_equal(decoded, expected(pixels))


def test_grey_pictures_are_shown_in_three_equal_channels() -> None:
    images = np.arange(24, dtype=np.uint8).reshape(2, 3, 4, 1)
    shown = copy_pictures(images, np.array([1]))
    assert shown.shape == (1, 3, 4, 3)
    np.testing.assert_array_equal(shown, np.broadcast_to(images[[1]], (1, 3, 4, 3)))
