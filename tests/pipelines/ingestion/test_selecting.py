"""Which pictures count, classes of similar names, classes that are too small or lost."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from graft.errors import GraftError
from graft.pipelines.ingestion.nodes import _generalise
from graft.pipelines.ingestion.parameters import IngestionParameters
from graft.pipelines.ingestion.selecting import (
    select_pictures,
    set_small_classes_apart,
    tell_of_lost_classes,
)
from graft.sources.source import ImageSource, Record, make_records
from helpers.told import read_told

PARAMETERS = {
    "min_side": 4, "max_pixels": 10**6, "seconds_per_picture": 1.0, "memory_mb": 512,
    "near_duplicate_radius": 4, "label_conflicts": "drop", "workers": 1,
}  # fmt: skip


def make_source(*labels):
    rows = [Record(f"{number}.png", label) for number, label in enumerate(labels)]
    return ImageSource(make_records(rows), lambda _: b"")


def select(source, **changes):
    parameters = IngestionParameters.model_validate({**PARAMETERS, **changes})
    return select_pictures(source, parameters).records


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, ["0.png", "1.png", "2.png", "3.png"]),
        ({"include_classes": "cat*"}, ["0.png", "1.png"]),
        ({"include_classes": ["dog", "cat"]}, ["0.png", "2.png"]),
        ({"exclude_classes": "cat"}, ["1.png", "2.png", "3.png"]),
        ({"exclude_files": "[01].png"}, ["2.png", "3.png"]),
        ({"include_files": ["1*", "3*"], "exclude_classes": "dog"}, ["1.png", "3.png"]),
    ],
)
def test_patterns_say_which_classes_and_files_count(changes, expected):
    records = select(make_source("cat", "caterpillar", "dog", None), **changes)
    assert records["image_id"].tolist() == expected


def test_what_is_left_out_is_told(caplog):
    with caplog.at_level(logging.INFO):
        select(make_source("cat", "BACKGROUND_Google", "dog"), exclude_classes="BACKGROUND*")
    assert caplog.messages == ["Selected     2 of 3 pictures, with them all of 'BACKGROUND_Google'"]


def test_patterns_that_leave_nothing_are_refused():
    with pytest.raises(GraftError, match=r"leave none of 2 pictures; the classes are 'cat', 'dog'"):
        select(make_source("cat", "dog"), include_classes="Cat")


SIMILAR = ["Cat", "cat", "cat", "dog", "dog ", "0", "0.0", "owl"]


def test_names_that_may_mean_one_class_are_told_in_one_line(caplog):
    records = select(make_source(*SIMILAR))
    assert records["label"].tolist() == SIMILAR
    assert read_told(caplog) == [
        "Class names  '0', '0.0'; 'Cat', 'cat'; 'dog', 'dog ': may each be one class; "
        "--params ingestion.merge_similar_names=true makes them one"
    ]


def test_on_request_they_are_one_by_the_name_of_most_pictures():
    records = select(make_source(*SIMILAR), merge_similar_names=True)
    assert records["label"].tolist() == ["cat"] * 3 + ["dog"] * 2 + ["0"] * 2 + ["owl"]


def test_the_writing_of_unicode_makes_no_second_class(caplog):
    records = select(make_source("caf\u00e9", "cafe\u0301"))
    assert {*records["label"]} == {"caf\u00e9"}
    assert caplog.messages == []


@pytest.mark.parametrize("name", ["nan", "NaN", "None", "null"])
def test_a_class_that_may_be_no_label_is_told_and_kept(caplog, name):
    assert select(make_source(name, "cat"))["label"].tolist() == [name, "cat"]
    assert f"Class names  '{name}': may mean that there is no label" in caplog.text


def make_index(**statuses):
    rows = [(label, status) for label, all_ in statuses.items() for status in all_.split()]
    index = pd.DataFrame(rows, columns=["label", "status"])
    index["image_id"] = [f"{number}.png" for number in range(len(index))]
    return index.assign(reason=["" if s == "ok" else "broken" for s in index["status"]])


def test_classes_that_are_too_small_are_set_apart_on_request(caplog):
    index = make_index(cat="ok ok quarantined", dog="ok ok ok")
    with caplog.at_level(logging.INFO):
        changed = set_small_classes_apart(index, 3)
    assert changed["status"].tolist() == ["quarantined"] * 3 + ["ok"] * 3
    assert changed["reason"].iloc[2] == "broken"
    assert "fewer usable pictures than the 3 of min_class_size" in changed["reason"].iloc[0]
    assert "Too small    classes with fewer than 3: 'cat'" in caplog.text
    assert set_small_classes_apart(index, 2) is index


def test_a_class_of_which_no_picture_can_be_used_is_named(caplog):
    tell_of_lost_classes(make_index(cat="ok", heic="quarantined quarantined"))
    assert caplog.messages == [
        "No picture   of class 'heic' can be used: 2 set apart, first '1.png' (broken)"
    ]


def test_reasons_that_differ_in_names_alone_are_counted_together():
    first, second = (f"same picture as 'dog/{n}.jpg' under label 'a b'" for n in "12")
    assert _generalise(first) == _generalise(second)


def test_one_class_of_two_pictures_does_not_stop_a_run(
    flowers: Path, write_picture: Callable, run_kedro: Callable
) -> None:
    for number in range(2):
        write_picture(flowers / f"tulip/{number}.png", (number, 2, 3))
    arguments = ("--env=own_pictures", "--pipelines=ingestion,splitting")
    outcome = run_kedro(*arguments, "--params", f"source={flowers},ingestion.min_class_size=3")
    assert outcome.code == 0, outcome.err
    told = " ".join(outcome.out.split())
    assert "24 pictures in 2 classes (12 each)" in told
    assert "2 × of a class with fewer usable pictures than the 3 of min_class_size" in told
    outcome = run_kedro(*arguments, "--params", f"source={flowers},ingestion.exclude_classes=tul*")
    assert outcome.code == 0, outcome.err
    assert "with them all of 'tulip'" in " ".join(outcome.out.split())
