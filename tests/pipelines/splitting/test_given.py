"""Splits that the pictures were given: kept, completed, and checked like our own."""

from __future__ import annotations

import logging

import pandas as pd
import pytest

from graft.errors import GraftError
from graft.pipelines.splitting.nodes import refuse_leaking_splits, summarise_splits
from helpers.splitting import PARAMETERS, make_index, regroup, split, split_and_check
from helpers.told import read_told

CLASSES = ["ants", "bees"]


def make_given(train=40, val=20, test=0, **changes):
    words = ["train"] * train + ["val"] * val + ["test"] * test
    index = make_index(CLASSES * (len(words) // 2), given=words)
    for column, values in changes.items():
        index[column] = values
    return regroup(index)


def sides(splits):
    return splits.set_index("image_id")["split"]


def test_what_was_given_is_kept_and_what_is_missing_is_dealt_from_train(caplog):
    index = make_given()
    with caplog.at_level(logging.INFO):
        splits, _, check = split_and_check(index)
    words = index.set_index("image_id")["given_split"]
    assert (sides(splits)[words.index[words == "val"]] == "dev").all()
    counts = splits["split"].value_counts()
    assert counts.to_dict() == {"train": 30, "dev": 20, "test": 10}
    # By class: as many of each.
    test = splits[splits["split"] == "test"]["label"].value_counts()
    assert test.to_dict() == {"ants": 5, "bees": 5}
    assert (
        "Given        train 40, dev 20 (val); test dealt from train by cluster" in caplog.messages
    )
    assert check["given"]["pictures"] == {"train": 40, "dev": 20}
    assert check["given"]["dealt"] == ["test"]


def test_three_given_splits_are_kept_to_the_picture():
    splits, _, check = split_and_check(make_given(40, 20, 20))
    assert splits["split"].tolist() == ["train"] * 40 + ["dev"] * 20 + ["test"] * 20
    assert check["given"]["dealt"] == []
    summary = summarise_splits(splits, PARAMETERS)
    assert summary["deviation"].abs().max() == 0


def test_pictures_that_were_given_none_are_of_train():
    splits, _ = split(make_given(given_split=["val"] * 20 + [None] * 40))
    assert (splits["split"].iloc[:20] == "dev").all()
    assert {*splits["split"].iloc[20:]} == {"train", "test"}


@pytest.mark.parametrize("given", [["train"] * 60, [None] * 60])
def test_pictures_that_nobody_divided_are_divided_as_ever(given):
    index = make_given(given_split=given)
    assert split(index)[0].equals(split(index.assign(given_split=None))[0])


def test_all_are_drawn_anew_on_request_and_it_is_told(caplog):
    index = make_given()
    with caplog.at_level(logging.INFO):
        redrawn, _ = split(index, given="redraw")
    assert redrawn.equals(split(index.assign(given_split=None))[0])
    assert "Given        train 40, dev 20 (val): all are divided anew" in caplog.text
    # What was kept yesterday is not taken for a draw.
    kept, _ = split(index)
    assert split(index, kept, given="redraw")[0].equals(redrawn)


def test_test_alone_leaves_nothing_to_learn_from():
    index = make_given(given_split=["test"] * 60)
    with pytest.raises(GraftError, match=r"nothing to learn from; .*given=redraw; got test 60$"):
        split(index)


def test_a_class_that_is_measured_and_never_shown_is_refused():
    index = make_given()
    index.loc[index["given_split"] == "val", "label"] = "wasps"
    with pytest.raises(GraftError, match=r"1 classes .* no picture in train; .*got 'wasps'$"):
        split(regroup(index))


def test_a_class_that_is_not_measured_is_told(caplog):
    index = make_given()
    index.loc[index["given_split"] == "val", "label"] = "ants"
    split(regroup(index))
    assert "dev has no picture of 1 of the classes: 'bees'" in caplog.text


LEAKS = {
    "same group": {"group": "a walk"},
    "same bytes": {"sha256": "one file"},
    "same pixels": {"pixel_sha256": "one picture"},
    "look alike": {"perceptual_hash": "00ff00ff00ff00ff"},
}


def plant(index, rows, change):
    for column, value in change.items():
        index.loc[rows, column] = value
    return regroup(index)


@pytest.mark.parametrize(("kind", "change"), LEAKS.items(), ids=LEAKS)
def test_a_leak_across_given_splits_is_found_named_and_dropped_from_train(caplog, kind, change):
    index = plant(make_given(), [0, 50], change)
    with caplog.at_level(logging.INFO):
        splits, _, check = split_and_check(index)
    assert "0.png" not in sides(splits)
    assert sides(splits)["50.png"] == "dev"
    assert check["given"]["leaks"] == 1
    assert check["given"]["leaking"] == [
        {"image_id": "0.png", "split": "train", "other_id": "50.png", "other_split": "dev",
         "kind": kind}
    ]  # fmt: skip
    told = "\n".join(read_told(caplog))
    assert f"first '0.png' (train) and '50.png' (dev): {kind}" in told
    assert "dropped from train" in told
    assert check["leaking"] == 0
    refuse_leaking_splits(splits)


def test_of_a_chain_all_that_hangs_together_is_dropped():
    index = plant(make_given(), [0, 1], {"group": "a walk"})
    index = plant(index, [1, 50], {"sha256": "one file"})
    splits, _, check = split_and_check(index)
    assert not {"0.png", "1.png"} & {*splits["image_id"]}
    assert [leak["kind"] for leak in check["given"]["leaking"]] == ["through others", "same bytes"]


def test_test_is_never_touched():
    index = plant(make_given(40, 20, 20), [0, 50, 70], {"sha256": "one file"})
    splits, _, check = split_and_check(index)
    assert "70.png" in sides(splits)
    assert not {"0.png", "50.png"} & {*splits["image_id"]}
    assert check["given"]["leaks"] == 2


def test_leaks_can_be_refused():
    index = plant(make_given(), [0, 50], LEAKS["same pixels"])
    with pytest.raises(GraftError, match=r"1 pictures .*=drop .*'50.png' \(dev\): same pixels$"):
        split(index, given_leaks="refuse")


def test_leaks_can_be_kept_and_are_counted(tmp_path):
    index = plant(make_given(), [0, 50], LEAKS["same group"])
    splits, _, check = split_and_check(index, given_leaks="keep")
    assert sides(splits)["0.png"] != "dev"
    assert sides(splits)["50.png"] == "dev"
    assert check["leaking"] == 1
    assert check["given"]["touched"] == ["50.png"]
    splits.to_parquet(tmp_path / "splits.parquet", index=False)
    refuse_leaking_splits(pd.read_parquet(tmp_path / "splits.parquet"))
    splits.attrs = {}
    with pytest.raises(GraftError):
        refuse_leaking_splits(splits)


def test_what_was_dealt_from_train_stays_where_it_was_when_pictures_are_added():
    before = make_given()
    first, _ = split(before)
    more = make_index(CLASSES * 10, prefix="new ", given=["train"] * 20)
    second, _ = split(regroup(pd.concat([more, before], ignore_index=True)), first)
    assert sides(second)[first["image_id"]].equals(sides(first))
    assert {*sides(second)[more["image_id"]]} == {"train", "test"}


def test_a_picture_of_train_that_is_new_and_like_two_sides_stays_out():
    index = make_given()
    first, _ = split(index)
    ends = [first[first["split"] == side]["image_id"].iloc[0] for side in ("train", "test")]
    for name, hash_ in zip(ends, ("00ff00ff00ff0000", "00ff00ff00ff00ff"), strict=True):
        index.loc[index["image_id"] == name, "perceptual_hash"] = hash_
    bridge = make_index(["ants"], prefix="bridge ", given=["train"])
    bridge = bridge.assign(perceptual_hash="00ff00ff00ff000f")
    second, _, check = split_and_check(regroup(pd.concat([index, bridge])), first)
    assert check["set_aside"] == ["bridge 0.png"]
    assert sides(second).equals(sides(first))


def test_of_a_target_source_the_missing_side_is_dealt_and_train_dev_held_out():
    index = make_given(100, 40)
    index["source"] = ["phone", "phone", "web", "web"] * 35
    splits, _ = split(regroup(index), target_source="phone")
    assert {*splits[splits["split"] == "test"]["source"]} == {"phone"}
    assert (splits["split"] == "train_dev").any()
    assert (splits["split"].iloc[100:] == "dev").all()


def test_folds_leave_given_test_out():
    splits, _ = split(make_given(40, 20, 20))
    assert ((splits["fold"] == -1) == (splits["split"] == "test")).all()
