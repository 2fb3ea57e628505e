"""Reasons: short, telling, at most 80 columns."""

from __future__ import annotations

import pytest

from graft.caching.plan import compare_recipes, format_plan

RECIPE = {
    "parameter": {"fine_tuning.learning_rate": 1e-5, "splitting.target_source": None},
    "input": {"splits": "abc"},
    "file": {"weights.h5": "abc"},
    "code": {"graft.pipelines.splitting.nodes": "abc"},
    "library": {"tensorflow": "2.21.0"},
    "python": {"python": "3.11.7"},
    "catalog": {"head": "abc"},
}


@pytest.mark.parametrize(
    ("section", "name", "value", "told"),
    [
        (
            "parameter",
            "fine_tuning.learning_rate",
            3e-5,
            "parameter fine_tuning.learning_rate 1e-5 → 3e-5",
        ),
        (
            "parameter",
            "splitting.target_source",
            "web",
            "parameter splitting.target_source null → web",
        ),
        ("input", "splits", "abd", "splits changed"),
        ("file", "weights.h5", "abd", "file weights.h5 changed"),
        ("code", "graft.pipelines.splitting.nodes", "abd", "nodes.py of splitting changed"),
        ("code", "graft.images.crops", "abc", "crops.py of images is used now"),
        ("code", "graft.reporting.templates.report.html", "a", "template report.html is used now"),
        ("library", "tensorflow", "2.22.0", "tensorflow 2.21.0 → 2.22.0"),
        ("library", "skrub", "1.0", "skrub unused → 1.0"),
        ("python", "python", "3.12.0", "python 3.11.7 → 3.12.0"),
        ("catalog", "head", "abd", "catalog entry head changed"),
    ],
)
def test_every_change_is_told_in_a_few_words(section, name, value, told):
    now = {**RECIPE, section: {**RECIPE[section], name: value}}
    (reason,) = compare_recipes(RECIPE, now, lambda _: None)
    assert told in reason


def test_the_same_recipe_gives_no_reason():
    assert compare_recipes(RECIPE, RECIPE, lambda _: None) == []


def test_pictures_are_counted_by_their_snapshots():
    snapshots = {"old": {"a": "1"}, "new": {"a": "1", "b": "2"}}
    old, new = ({**RECIPE, "input": {"raw_images": name}} for name in ("old", "new"))
    assert compare_recipes(old, new, snapshots.get) == ["1 new picture"]
    del snapshots["old"]
    assert compare_recipes(old, new, snapshots.get) == ["other pictures"]


def test_a_recipe_of_another_form_is_another_recipe():
    assert compare_recipes({"parameter": 3}, RECIPE, lambda _: None)


@pytest.mark.parametrize("length", [1, 40, 51, 52, 200])
@pytest.mark.parametrize("count", [1, 2, 300])
def test_no_line_is_longer_than_80_columns(length, count):
    reasons = [f"{number}{'x' * length}" for number in range(count)]
    lines = format_plan([("feature_extraction", reasons)])
    assert max(map(len, lines)) <= 80
    assert "stale" in lines[1]


def test_further_reasons_are_counted_where_there_is_room():
    assert format_plan([("splitting", ["one", "two", "two"])])[1].endswith("stale  one, +1 more")
