"""A pass that is laid out is the pass that would be drawn: for rows that stay on a device."""

from __future__ import annotations

import numpy as np
import pytest

from graft.backends.backend import HoldableRows
from graft.models.augmentation import PictureAugmenter
from graft.training.shuffling import ArrayReader, RowPools
from graft.training.views import FreshViews, StoredViews, ViewPools
from helpers.backends import AUGMENTATION

RANDOM = np.random.default_rng(0)
PICTURES = RANDOM.integers(0, 256, (9, 8, 8, 3), dtype=np.uint8)
STORED = RANDOM.normal(size=(9 * 3, 2, 2, 4)).astype(np.float16)
LABELS, WEIGHTS = np.arange(9) % 4, RANDOM.uniform(1, 2, 9).astype(np.float32)
ROWS = np.array([3, 1, 8, 4, 0, 2, 7, 5, 6])


def make_sources() -> dict[str, HoldableRows]:
    augmenter = PictureAugmenter(AUGMENTATION, 8)
    return {
        "rows": RowPools(ArrayReader(PICTURES.__getitem__), ROWS, LABELS, WEIGHTS),
        "pictures": ViewPools(FreshViews(PICTURES.__getitem__, ROWS, None), LABELS, WEIGHTS),
        "views": ViewPools(FreshViews(PICTURES.__getitem__, ROWS, augmenter), LABELS, WEIGHTS, 2),
        "stored": ViewPools(StoredViews(STORED.__getitem__, 0, 9, 2), LABELS, WEIGHTS),
    }


@pytest.mark.parametrize("name", make_sources())
@pytest.mark.parametrize("seed", [None, 0, 1])
def test_a_laid_out_pass_is_the_drawn_one(name: str, seed: int | None) -> None:
    source = make_sources()[name]
    drawn = list(source.draw(None if seed is None else np.random.default_rng(seed)))
    inputs, labels, weights = (np.concatenate(part) for part in zip(*drawn, strict=True))
    layout = source.lay_out(None if seed is None else np.random.default_rng(seed))
    held = source.hold_inputs(10**9)
    assert held is not None
    found = held[layout.rows]
    if layout.change is not None:
        found = np.asarray(layout.change(found, *layout.arguments))
    np.testing.assert_array_equal(found, inputs)
    np.testing.assert_array_equal(layout.labels, labels)
    np.testing.assert_array_equal(layout.weights, weights)
    assert (layout.change is not None) == (name == "views" and seed is not None)


@pytest.mark.parametrize("name", make_sources())
def test_rows_that_need_more_memory_than_there_is_are_not_held(name: str) -> None:
    source = make_sources()[name]
    held = source.hold_inputs(10**9)
    assert held is not None
    assert source.hold_inputs(held.nbytes) is not None
    assert source.hold_inputs(held.nbytes - 1) is None
