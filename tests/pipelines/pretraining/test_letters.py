"""Printed letters: drawn from a seed, prepared as the UCI digits were."""

import unicodedata

import numpy as np
import pytest

from graft.errors import GraftError
from graft.pipelines.pretraining.letters import ALPHABETS, FONTS, LETTERS, count_ink, render_letters

# Fonts without a letter of another alphabet.
OF_LATIN = ("cmr10", "cmtt10")


def test_a_letter_is_an_8x8_picture_with_a_label_and_a_font():
    images, labels, fonts = render_letters(count_per_letter=2, seed=0)
    assert images.shape == (2 * len(LETTERS), 8, 8)
    assert images.dtype == np.uint8
    assert labels.tolist() == sorted(list(range(len(LETTERS))) * 2)
    assert set(fonts) <= set(FONTS)
    assert_full_height(images)


def assert_full_height(images):
    assert images.any(axis=(1, 2)).all()
    # Like a digit of the UCI set, a letter reaches from the first row to the last.
    rows_with_ink = (images > 0).any(axis=2)
    assert rows_with_ink[:, [0, -1]].mean() > 0.9


def test_the_letters_are_161_different_ones_of_their_alphabets_and_none_is_a_digit():
    assert len(LETTERS) == len(set(LETTERS)) == 161
    for alphabet, letters in ALPHABETS.items():
        for letter in letters:
            assert unicodedata.category(letter) in {"Lu", "Ll", "Lo"}
            assert unicodedata.name(letter).startswith(alphabet.upper())


def test_a_letter_that_no_given_font_has_is_left_out():
    _, labels, _ = render_letters(count_per_letter=2, seed=0, fonts=OF_LATIN)
    assert labels.tolist() == sorted(list(range(len(ALPHABETS["Latin"]))) * 2)


def test_pens_are_of_many_widths():
    images, labels, _ = render_letters(20, seed=0, fonts=OF_LATIN[:1])
    ink = images[labels == LETTERS.index("L")].sum(axis=(1, 2), dtype=np.int64)
    assert ink.max() > 1.5 * ink.min()


def test_the_same_seed_gives_the_same_pictures():
    first, again, other = (render_letters(1, seed, OF_LATIN)[0] for seed in (7, 7, 8))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize("font", FONTS)
def test_every_font_draws_every_latin_letter_to_the_full_height(font, monkeypatch):
    # Those of other alphabets are drawn in all that have them, and are not asked of each.
    latin = ALPHABETS["Latin"]
    monkeypatch.setattr("graft.pipelines.pretraining.letters.LETTERS", latin)
    images, labels, fonts = render_letters(1, seed=1, fonts=(font,))
    assert set(fonts) == {font}
    assert labels.tolist() == list(range(len(latin)))
    assert_full_height(images)


def test_ink_is_counted_in_blocks_of_4x4_and_scaled_to_0_255():
    bitmaps = np.zeros((2, 32, 32), dtype=bool)
    bitmaps[1, :4, :4] = True
    bitmaps[1, 4, 4:8] = True
    empty, picture = count_ink(bitmaps)
    assert not empty.any()
    assert picture[0, 0] == 255
    assert picture[1, 1] == 64  # 4 of 16 pixels
    assert picture.sum() == 255 + 64


def test_a_count_below_one_is_refused():
    with pytest.raises(GraftError, match=r"at least 1.*Received: 0$"):
        render_letters(count_per_letter=0, seed=0)


@pytest.mark.parametrize(("fonts", "received"), [(("Arial",), "Arial"), ((), "no font")])
def test_a_font_outside_the_list_is_refused(fonts, received):
    with pytest.raises(GraftError, match=rf"one or more of the fonts.*Received: {received}$"):
        render_letters(1, seed=0, fonts=fonts)
