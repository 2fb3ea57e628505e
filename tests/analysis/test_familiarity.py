"""Familiarity: far from all of train is far, and the threshold refuses the share asked for."""

from __future__ import annotations

import numpy as np
import pytest

from graft.analysis.familiarity import MOST_BYTES, fit_familiarity, unpack_familiarity

RANDOM = np.random.default_rng(0)


def draw(count: int, middle: int, dimension: int = 30) -> np.ndarray:
    features = RANDOM.normal(size=(count, dimension)).astype(np.float32)
    features[:, middle] += 12
    return features


def test_the_distance_is_that_to_the_nth_nearest_direction() -> None:
    train, new = draw(50, 0), draw(7, 1)
    found = fit_familiarity(train, draw(20, 0), 3, 0.05)
    unit = train / np.linalg.norm(train, axis=1, keepdims=True)
    for row, distance in zip(new, found.measure(new), strict=True):
        nearest = np.sort(np.linalg.norm(unit - row / np.linalg.norm(row), axis=1))
        np.testing.assert_allclose(distance, nearest[2], atol=2e-3)
    # Brightness scales features and does not count.
    np.testing.assert_allclose(found.measure(9 * new), found.measure(new), atol=1e-5)


def test_the_share_of_dev_is_refused_and_not_more() -> None:
    train, dev = np.concatenate([draw(200, 0), draw(200, 1)]), draw(200, 0)
    for share in (0.05, 0.2):
        found = fit_familiarity(train, dev, 5, share)
        refused = (found.measure(dev) > found.threshold).mean()
        assert share - 0.01 <= refused <= share
    assert (found.measure(draw(50, 2)) > found.threshold).all()


def refuse_new(count_dev: int, repeats: int, with_train: bool) -> np.ndarray:
    """Share of 200 new pictures that is refused, each time by other pictures of train and dev."""
    shares = []
    for _ in range(repeats):
        train = draw(60, 0)
        clusters = np.arange(60) if with_train else None
        found = fit_familiarity(train, draw(count_dev, 0), 3, 0.1, clusters)
        shares.append((found.measure(draw(200, 0)) > found.threshold).mean())
    return np.array(shares)


def test_new_pictures_are_refused_as_often_as_asked_for_and_by_train_more_surely() -> None:
    by_dev, by_both = (refuse_new(20, 150, with_train) for with_train in (False, True))
    # Within three standard errors of the mean; two in twenty would have been 2/21 on top.
    for shares in (by_dev, by_both):
        assert shares.mean() == pytest.approx(0.1, abs=0.02)
    assert by_both.std() < 0.8 * by_dev.std()


def test_pictures_of_one_cluster_do_not_vouch_for_each_other() -> None:
    alone = draw(40, 0)
    tracks = np.repeat(alone, 8, axis=0) + RANDOM.normal(0, 1e-3, (320, 30))
    new = draw(300, 0)
    shares = {}
    for kind, clusters in (("tracks", np.repeat(np.arange(40), 8)), ("frames", np.arange(320))):
        found = fit_familiarity(tracks, draw(10, 0), 5, 0.1, clusters)
        shares[kind] = (found.measure(new) > found.threshold).mean()
    assert shares["tracks"] < 0.25
    assert shares["frames"] > 0.9


def test_where_too_few_were_measured_none_of_them_is_refused() -> None:
    train, dev = draw(50, 0), draw(5, 0)
    found = fit_familiarity(train, dev, 3, 0.05)
    assert (found.measure(dev) <= found.threshold).all()


def test_it_stays_small_and_comes_back_as_it_was() -> None:
    wide = RANDOM.normal(size=(400, 30_000)).astype(np.float32)
    found = fit_familiarity(wide, wide[:5], 2, 0.05)
    assert found.reference.nbytes <= MOST_BYTES
    again = unpack_familiarity(found.pack())
    assert again.neighbours == 2
    np.testing.assert_array_equal(again.measure(wide[-3:]), found.measure(wide[-3:]))


def test_few_pictures_and_empty_features_do_no_harm() -> None:
    few = draw(2, 0)
    found = fit_familiarity(few, few, 5, 0.05)
    assert np.isfinite(found.measure(np.zeros((1, 30)))).all()
