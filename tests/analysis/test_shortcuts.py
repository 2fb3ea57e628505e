"""Shortcuts: planted ones are found, none is found where there is none."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import balanced_accuracy_score

from graft.analysis.shortcuts import (
    SHORTCUT_COLUMNS,
    ShortcutSettings,
    derive_properties,
    measure_balanced_interval,
    measure_shortcuts,
)
from helpers.exploration import make_index

pytestmark = pytest.mark.filterwarnings("error")
SETTINGS = ShortcutSettings(folds=5, confidence=0.99, matters=0.2, seed=0)
SEEDS = range(5)


def measure(index, settings=SETTINGS):
    table = measure_shortcuts(derive_properties(index), index["label"], index["cluster"], settings)
    return table.set_index("property")


def warned(index):
    table = measure(index)
    return set(table.index[table["warning"]])


def two_classes(count=200, **changes):
    return make_index(["cat", "dog"] * (count // 2), **changes)


@pytest.mark.parametrize("seed", SEEDS)
def test_brighter_dogs_are_found(seed):
    table = measure(two_classes(seed=seed, brighter="dog"))
    assert set(table.index[table["warning"]]) == {"brightness", "all together"}
    # Two normal distributions three standard deviations apart: 93 % at best.
    assert table.loc["brightness", "balanced_accuracy"] == pytest.approx(0.93, abs=0.05)
    assert table.loc["brightness", "correlation_ratio"] > 0.5


@pytest.mark.parametrize("seed", SEEDS)
def test_nothing_is_warned_of_where_no_property_has_to_do_with_the_class(seed):
    assert warned(two_classes(seed=seed)) == set()


@pytest.mark.parametrize("seed", SEEDS)
def test_chance_on_few_pictures_is_no_shortcut(seed):
    assert warned(two_classes(30, seed=seed)) == set()


@pytest.mark.parametrize(
    ("column", "cats", "dogs", "name"),
    [
        ("format", "PNG", "JPEG", "file format"),
        ("mode", "L", "RGB", "file format"),
        ("bytes", 9000, 30000, "file size"),
        ("height", 480, 500, "height"),
    ],
)
def test_a_property_that_always_tells_the_class_is_found(column, cats, dogs, name):
    table = measure(two_classes(**{column: [cats, dogs] * 100}))
    row = table.loc[name]
    assert row["warning"]
    assert row["balanced_accuracy"] == row["high"] == 1
    assert 0.85 < row["low"] < 1
    assert row["correlation_ratio"] == pytest.approx(1)


def test_copies_do_not_make_a_shortcut():
    # Every picture ten times over: a tree would know the copies again by their properties.
    index = pd.concat([make_index(["cat", "dog"] * 15)] * 10, ignore_index=True)
    assert warned(index) == set()
    assert "all together" in warned(index.assign(cluster=np.arange(len(index))))


def test_missing_values_are_no_obstacle():
    index = two_classes(brighter="dog")
    index.loc[::3, ["brightness", "width", "format"]] = None
    table = measure(index)
    assert table.loc["brightness", "warning"]
    assert not table.loc["width", "warning"]


def test_whether_a_value_is_missing_may_be_the_shortcut():
    assert "contrast" in warned(two_classes(contrast=[np.nan, 50.0] * 100))


def test_constant_properties_are_at_chance():
    index = two_classes(width=[8] * 200, height=[8] * 200)
    row = measure(index).loc["width"]
    assert row["balanced_accuracy"] == row["chance"] == 0.5
    assert row["correlation_ratio"] == 0
    assert not row["warning"]


@pytest.mark.parametrize(
    "labels",
    [["cat"] * 50, ["cat"] * 50 + ["dog"], [None] * 20, [], [f"class {n}" for n in range(40)]],
)
def test_without_two_classes_that_are_large_enough_there_is_nothing_to_measure(labels):
    table = measure_shortcuts(
        derive_properties(make_index(labels)),
        make_index(labels)["label"],
        make_index(labels)["cluster"],
        SETTINGS,
    )
    assert table.empty
    assert list(table) == SHORTCUT_COLUMNS


def test_small_classes_and_unlabelled_pictures_are_left_out():
    table = measure(make_index(["cat", "dog"] * 20 + ["owl"] * 4 + [None] * 5))
    assert (table["pictures"] == 40).all()
    assert (table["classes"] == 2).all()
    assert (table["chance"] == 0.5).all()


def test_many_classes_have_a_small_chance():
    table = measure(make_index([f"class {n % 100}" for n in range(1000)], brighter="class 7"))
    assert (table["chance"] == 0.01).all()
    assert not table["warning"].any()


def test_two_measurements_agree_to_the_last_bit():
    index = two_classes(brighter="dog")
    pd.testing.assert_frame_equal(measure(index), measure(index), check_exact=True)


def test_the_value_is_the_balanced_accuracy_of_scikit_learn():
    random = np.random.default_rng(0)
    codes, predicted = random.permutation(np.arange(90) % 3), random.integers(0, 3, 90)
    value, low, high = measure_balanced_interval(codes, predicted == codes, np.arange(90), 0.95)
    assert value == pytest.approx(balanced_accuracy_score(codes, predicted))
    assert low < value < high


def test_the_interval_covers_the_truth_as_often_as_it_says():
    random = np.random.default_rng(1)
    codes = np.repeat([0, 1], [150, 30])
    truth, covered = np.array([0.7, 0.5]), 0
    for _ in range(3000):
        right = random.random(180) < truth[codes]
        _, low, high = measure_balanced_interval(codes, right, np.arange(180), 0.9)
        covered += low <= truth.mean() <= high
    assert covered / 3000 == pytest.approx(0.9, abs=0.02)


def test_copies_do_not_narrow_the_interval():
    random = np.random.default_rng(2)
    codes, right = np.tile([0, 1], 40), random.random(80) < 0.7
    once = measure_balanced_interval(codes, right, np.arange(80), 0.95)
    copied = (np.tile(array, 5) for array in (codes, right, np.arange(80)))
    assert measure_balanced_interval(*copied, 0.95) == pytest.approx(once)
