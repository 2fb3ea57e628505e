"""Heat over pictures, and pictures small enough for a page."""

from __future__ import annotations

import base64
import io

import numpy as np
import pytest
from PIL import Image

from graft.reporting.error_figures import embed_small, overlay_heat

RANDOM = np.random.default_rng(0)


def decode(address: str) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(address.partition(",")[2])))


@pytest.mark.parametrize(("side", "shown"), [(8, 96), (28, 112), (224, 224)])
def test_heat_lies_over_a_picture_that_is_large_enough_to_see_it(side: int, shown: int) -> None:
    pixels = RANDOM.integers(0, 256, (side, side, 3), dtype=np.uint8)
    assert overlay_heat(pixels, np.zeros((2, 2), np.uint8)).shape == (shown, shown, 3)


def test_the_hottest_place_is_the_most_yellow() -> None:
    heat = np.zeros((4, 4), np.uint8)
    heat[3, 0] = 255
    shown = overlay_heat(np.full((96, 96, 1), 128, np.uint8), heat).astype(int)
    yellow = shown[..., 0] + shown[..., 1] - shown[..., 2]
    row, column = np.unravel_index(yellow.argmax(), yellow.shape)
    assert row >= 72
    assert column < 24


def test_a_photograph_is_embedded_as_a_small_jpeg_and_a_tiny_picture_as_it_is() -> None:
    photograph = RANDOM.integers(0, 256, (300, 200, 3), dtype=np.uint8)
    small = decode(embed_small(photograph, 160))
    assert (small.format, max(small.size)) == ("JPEG", 160)
    tiny = RANDOM.integers(0, 256, (8, 8, 1), dtype=np.uint8)
    same = decode(embed_small(tiny, 160))
    assert same.format == "PNG"
    np.testing.assert_array_equal(np.asarray(same), np.repeat(tiny, 3, axis=2))
