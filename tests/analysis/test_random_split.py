"""Flattery: a random split of pictures that come in groups looks better than it is."""

from __future__ import annotations

import numpy as np
import pytest

from graft.analysis.random_split import measure_optimism


def make_groups(spread_of_groups, groups=40, pictures=10, seed=0):
    """Two classes that differ little, in groups whose pictures are alike."""
    random = np.random.default_rng(seed)
    clusters = np.repeat(np.arange(groups), pictures)
    labels = clusters % 2
    centres = random.normal(size=(groups, 200)) * spread_of_groups
    features = centres[clusters] + 0.3 * random.normal(size=(len(clusters), 200))
    features[:, 0] += labels
    return features, labels, clusters, clusters >= 0.75 * groups


def test_a_random_split_of_groups_that_differ_flatters():
    found = measure_optimism(*make_groups(2.0), draws=3, confidence=0.95, seed=0)
    assert found["random"]["value"] > 0.95
    assert found["together"]["value"] < 0.85
    assert found["difference"] == pytest.approx(
        found["random"]["value"] - found["together"]["value"]
    )


def test_where_groups_do_not_differ_it_does_not():
    found = measure_optimism(*make_groups(0.0), draws=3, confidence=0.95, seed=0)
    assert abs(found["difference"]) < 0.06


def test_the_interval_counts_groups_not_pictures():
    wide = measure_optimism(*make_groups(2.0), draws=2, confidence=0.95, seed=0)["together"]
    features, labels, _, is_test = make_groups(2.0)
    lone = measure_optimism(features, labels, np.arange(400), is_test, 2, 0.95, 0)["together"]
    assert wide["value"] == lone["value"]
    assert wide["high"] - wide["low"] > 1.5 * (lone["high"] - lone["low"])


def test_it_says_on_how_many_pictures_it_was_measured_and_is_reproducible():
    first, again = (
        measure_optimism(*make_groups(1.0), draws=2, confidence=0.9, seed=3) for _ in range(2)
    )
    assert first == again
    assert (first["train"], first["test"], first["draws"]) == (300, 100, 2)
