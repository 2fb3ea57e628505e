"""Augmentation: pictures changed as a camera might, without changing what is on them.

What happens to a picture depends on a seed, the picture's pixels and the number of its view alone:
not on its name, nor on the other pictures of its batch, nor on their order. So a view that was made
once is the same whenever it is made again. All geometry is one resampling.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, partial
from typing import Any, Protocol

import keras
import numpy as np

from graft.backends.backend import load_backend

_BATCH = 64


class AugmentationSettings(Protocol):
    """How far a picture may be changed; 0 leaves it as it is.

    Attributes:
        rotation: Up to so many degrees either way.
        zoom: Share: 0.2 shows from 0.8 to 1.2 of the picture's side.
        shift: Share of the side, each way.
        shear: Degrees either way.
        horizontal_flip: Mirrors every second picture; no text, which is to be decided before.
        fill_mode: What lies outside: ``nearest``, ``reflect``, ``wrap`` or ``constant`` (black).
        brightness: Share of the whole range, added or taken.
        contrast: Share: 0.2 spreads the values around their mean by 0.8 to 1.2.
    """

    rotation: float
    zoom: float
    shift: float
    shear: float
    brightness: float
    contrast: float

    @property
    def horizontal_flip(self) -> bool | str: ...

    @property
    def fill_mode(self) -> str: ...


def change_pictures(pictures: Any, maps: Any, tones: Any, fill_mode: str) -> Any:
    """Resample pictures by given maps, and spread and move their values.

    It is never part of a classifier: where it is used, it stands before one.

    Args:
        pictures: (n, H, W, 3), uint8.
        maps: (n, 8): from places in the result to places in the picture, see
            ``keras.ops.image.affine_transform``.
        tones: (n, 2): factor and summand of all values of a picture.
        fill_mode: As in :class:`AugmentationSettings`.

    Returns:
        Tensor like ``pictures``.
    """
    values = keras.ops.cast(pictures, "float32")
    moved = keras.ops.image.affine_transform(
        values, maps, interpolation="bilinear", fill_mode=fill_mode
    )
    factor, summand = tones[:, 0, None, None, None], tones[:, 1, None, None, None]
    changed = keras.ops.clip(moved * factor + summand, 0.0, 255.0)
    return keras.ops.cast(keras.ops.round(changed), "uint8")


@dataclass(frozen=True)
class Looks:
    """What the views of pictures depend on beside their numbers and a seed.

    Attributes:
        keys: CRC-32 of the pixels of every picture, int64 (n,).
        means: Mean value of every picture, float64 (n,).
    """

    keys: np.ndarray
    means: np.ndarray


def look_at(pictures: np.ndarray) -> Looks:
    """Look at pictures (n, H, W, 3), uint8; see :class:`Looks`."""
    keys = np.array([zlib.crc32(picture.tobytes()) for picture in pictures], np.int64)
    means = pictures.sum(axis=(1, 2, 3), dtype=np.int64) / max(math.prod(pictures.shape[1:]), 1)
    return Looks(keys, means)


class PictureAugmenter:
    """Makes views of pictures.

    Args:
        settings: How far they may be changed.
        image_size: Side of the pictures, in pixels.

    Attributes:
        change: :func:`change_pictures` with the settings' way to fill; None if nothing is changed.
    """

    def __init__(self, settings: AugmentationSettings, image_size: int) -> None:
        if isinstance(settings.horizontal_flip, str):
            raise TypeError(f"horizontal_flip is not decided yet; got {settings.horizontal_flip!r}")
        self._settings = settings
        self._size = image_size
        self._compiled = _compile(settings.fill_mode, image_size)
        self.change = _choose_change(settings.fill_mode) if is_active(settings) else None

    def make_views(self, pictures: np.ndarray, views: Sequence[int], seed: int) -> np.ndarray:
        """One view of every picture.

        Args:
            pictures: (n, H, W, 3), uint8.
            views: The number of the view wanted of every picture.
            seed: Seed of all views.

        Returns:
            Array like ``pictures``.
        """
        if self.change is None:
            return pictures
        result = np.empty_like(pictures)
        for start in range(0, len(pictures), _BATCH):
            rows = slice(start, start + _BATCH)
            changes = self.find_changes(look_at(pictures[rows]), views[rows], seed)
            result[rows] = self._compiled(pictures[rows], *changes)
        return result

    def find_changes(
        self, looks: Looks, views: Sequence[int], seed: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """Maps and tones of views, as :func:`change_pictures` takes them.

        Args:
            looks: Of the pictures.
            views: The number of the view wanted of every picture.
            seed: Seed of all views.
        """
        numbers = draw_uniform(looks.keys, views, seed)
        return (
            find_maps(self._settings, self._size, numbers),
            find_tones(self._settings, looks.means, numbers),
        )


@cache
def _choose_change(fill_mode: str) -> Callable[..., Any]:
    """One object for each way to fill, by which what is compiled with it is found again."""
    return partial(change_pictures, fill_mode=fill_mode)


@cache
def _compile(fill_mode: str, image_size: int) -> Callable[..., np.ndarray]:
    """The changes of a batch of any length as one graph, made once a process."""
    return load_backend().compile_function(
        _choose_change(fill_mode),
        [
            ((None, image_size, image_size, 3), "uint8"),
            ((None, 8), "float32"),
            ((None, 2), "float32"),
        ],
    )


def is_active(settings: AugmentationSettings) -> bool:
    """Whether the settings change any picture at all."""
    return bool(settings.horizontal_flip) or any(
        getattr(settings, name) > 0
        for name in ("rotation", "zoom", "shift", "shear", "brightness", "contrast")
    )


def draw_uniform(keys: np.ndarray, views: Sequence[int], seed: int) -> np.ndarray:
    """Eight numbers in [-1, 1) for every view, (n, 8): of its key, number and the seed alone."""
    return np.array(
        [
            np.random.default_rng([seed, key, view]).uniform(-1, 1, 8)
            for key, view in zip(keys.tolist(), views, strict=True)
        ]
    ).reshape(-1, 8)


def find_maps(settings: AugmentationSettings, size: int, numbers: np.ndarray) -> np.ndarray:
    """Affine maps from places in the result to places in the picture, float32 (n, 8).

    Args:
        settings: How far pictures may be changed.
        size: Side of the pictures, in pixels.
        numbers: In [-1, 1), (n, 8).
    """
    angle, shear = np.radians(settings.rotation) * numbers[:, 0], numbers[:, 1]
    shear = np.tan(np.radians(settings.shear) * shear)
    zoom = 1 + settings.zoom * numbers[:, 2]
    mirror = np.where(bool(settings.horizontal_flip) & (numbers[:, 5] < 0), -1.0, 1.0)
    linear = np.empty((len(numbers), 2, 2))
    linear[:, 0, 0], linear[:, 0, 1] = np.cos(angle), -np.sin(angle)
    linear[:, 1, 0], linear[:, 1, 1] = np.sin(angle), np.cos(angle)
    linear[:, :, 1] += linear[:, :, 0] * shear[:, None]
    linear[:, :, 0] *= mirror[:, None]
    linear *= zoom[:, None, None]
    centre = (size - 1) / 2
    shift = centre - linear.sum(axis=2) * centre + settings.shift * size * numbers[:, 3:5]
    maps = np.zeros((len(numbers), 8), np.float32)
    maps[:, [0, 1, 3, 4]] = linear.reshape(-1, 4)
    maps[:, [2, 5]] = shift
    return maps


def find_tones(
    settings: AugmentationSettings, means: np.ndarray, numbers: np.ndarray
) -> np.ndarray:
    """Factor and summand of the values of every picture, float32 (n, 2).

    Args:
        settings: How far pictures may be changed.
        means: Mean value of every picture (n,).
        numbers: In [-1, 1), (n, 8).
    """
    factor = 1 + settings.contrast * numbers[:, 6]
    summand = means * (1 - factor) + 255 * settings.brightness * numbers[:, 7]
    return np.stack([factor, summand], axis=1).astype(np.float32)
