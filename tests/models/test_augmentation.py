"""Augmentation: views that depend on seed, pixels and number alone, and never on the batch."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from graft.models.augmentation import PictureAugmenter, draw_uniform, find_maps, is_active

PICTURES = np.random.default_rng(0).integers(0, 256, (6, 9, 9, 3), dtype=np.uint8)


@dataclasses.dataclass(frozen=True)
class Settings:
    rotation: float = 0
    zoom: float = 0
    shift: float = 0
    shear: float = 0
    horizontal_flip: bool = False
    fill_mode: str = "nearest"
    brightness: float = 0
    contrast: float = 0


ALL = Settings(20, 0.2, 0.1, 10, True, "reflect", 0.1, 0.2)


def make_views(settings: Settings, views=(1,) * 6, seed=0, rows=slice(None)) -> np.ndarray:
    augmenter = PictureAugmenter(settings, image_size=9)
    return augmenter.make_views(PICTURES[rows], views[rows], seed)


def test_without_settings_nothing_changes() -> None:
    assert not is_active(Settings())
    np.testing.assert_array_equal(make_views(Settings()), PICTURES)


def test_settings_near_nothing_change_nothing() -> None:
    settings = Settings(*[1e-9] * 4, horizontal_flip=False, brightness=1e-9, contrast=1e-9)
    np.testing.assert_array_equal(make_views(settings), PICTURES)


def test_a_view_does_not_depend_on_its_batch() -> None:
    together = make_views(ALL)
    for number in range(6):
        alone = make_views(ALL, rows=slice(number, number + 1))
        np.testing.assert_array_equal(alone[0], together[number])
    backwards = make_views(ALL, rows=slice(None, None, -1))
    np.testing.assert_array_equal(backwards[::-1], together)


def test_a_view_depends_on_its_number_the_pixels_and_the_seed() -> None:
    first = make_views(ALL)
    np.testing.assert_array_equal(make_views(ALL), first)
    assert not np.array_equal(make_views(ALL, views=(2,) * 6), first)
    assert not np.array_equal(make_views(ALL, seed=1), first)
    assert len(np.unique(draw_uniform(PICTURES, [1] * 6, seed=0))) == 48


def test_a_flip_mirrors_about_half_of_the_pictures_and_leaves_the_others() -> None:
    views = [make_views(Settings(horizontal_flip=True), views=(number,) * 6) for number in range(8)]
    flipped = 0
    for view in views:
        for seen, picture in zip(view, PICTURES, strict=True):
            is_flipped = np.array_equal(seen, picture[:, ::-1])
            assert is_flipped or np.array_equal(seen, picture)
            flipped += is_flipped
    assert 12 < flipped < 36


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        (Settings(rotation=90), [[0, -1], [1, 0]]),
        (Settings(zoom=0.5), [[1.5, 0], [0, 1.5]]),
        (Settings(shear=45), [[1, 1], [0, 1]]),
    ],
)
def test_geometry_turns_about_the_centre(settings: Settings, expected: list) -> None:
    (row,) = find_maps(settings, 9, np.ones((1, 8)))
    np.testing.assert_allclose(row[[0, 1, 3, 4]].reshape(2, 2), expected, atol=1e-6)
    centre = row[[0, 1, 3, 4]].reshape(2, 2) @ [4, 4] + row[[2, 5]]
    np.testing.assert_allclose(centre, [4, 4], atol=1e-6)


def test_a_shift_is_a_share_of_the_side() -> None:
    (row,) = find_maps(Settings(shift=1 / 3), 9, np.ones((1, 8)))
    np.testing.assert_allclose(row, [1, 0, 3, 0, 1, 3, 0, 0])


@pytest.mark.parametrize(
    ("fill_mode", "corner"), [("constant", 0), ("nearest", 200), ("reflect", 200), ("wrap", 10)]
)
def test_what_lies_outside_is_filled(fill_mode: str, corner: int, monkeypatch) -> None:
    monkeypatch.setattr(
        "graft.models.augmentation.draw_uniform", lambda pictures, *_: np.ones((len(pictures), 8))
    )
    picture = np.full((1, 9, 9, 3), 10, np.uint8)
    picture[:, 5:, 5:] = 200
    settings = Settings(shift=1 / 3, fill_mode=fill_mode)
    view = PictureAugmenter(settings, 9).make_views(picture, [1], seed=0)
    assert view[0, 8, 8, 0] == corner
    assert view[0, 5, 5, 0] == 200


def test_brightness_moves_and_contrast_spreads_around_the_mean(monkeypatch) -> None:
    monkeypatch.setattr(
        "graft.models.augmentation.draw_uniform", lambda pictures, *_: np.ones((len(pictures), 8))
    )
    picture = np.zeros((1, 9, 9, 3), np.uint8)
    picture[:, ::2] = 100
    mean = picture.mean()

    def change(**settings) -> np.ndarray:
        augmenter = PictureAugmenter(Settings(**settings), 9)
        return np.unique(augmenter.make_views(picture, [1], seed=0))

    np.testing.assert_array_equal(change(brightness=0.2), [51, 151])
    np.testing.assert_array_equal(change(brightness=1), [255])
    expected = np.clip(np.round(mean + 1.5 * (np.array([0, 100]) - mean)), 0, 255)
    np.testing.assert_array_equal(change(contrast=0.5), expected)
