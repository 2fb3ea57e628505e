"""Scikit-learn's digits as a source."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.datasets import load_digits

from graft.images.decoding import decode_picture
from graft.sources.pixel_arrays import read_digits


def test_the_digits_are_1797_pictures_with_their_labels():
    records = read_digits().records
    assert len(records) == 1797
    assert records["image_id"].is_unique
    assert records["label"].tolist() == [str(digit) for digit in load_digits().target]
    assert records["group"].isna().all()


@pytest.mark.parametrize("number", [0, 1, 1796])
def test_a_digit_is_its_ink_spread_over_all_greys(number):
    pixels = decode_picture(read_digits().read(f"digit_{number:04d}.png"), 8, max_pixels=64)
    ink = np.round(load_digits().images[number] * 255 / 16)
    np.testing.assert_array_equal(pixels, np.stack([ink] * 3, axis=-1))


def test_the_number_of_digits_can_be_limited():
    records = read_digits(limit=5).records
    assert records["label"].tolist() == ["0", "1", "2", "3", "4"]
