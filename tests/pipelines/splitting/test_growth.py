"""Growth: pictures that have a side stay on it, whatever is added, removed or renamed."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers.splitting import make_index, regroup, split, split_and_check

CLASSES = ["cat", "dog", "owl", "fox"]


def sides(splits, column="split"):
    return splits.set_index("image_id")[column]


def join(*indexes):
    return regroup(pd.concat(indexes, ignore_index=True))


@pytest.mark.parametrize("growth", [0.01, 0.1, 1.0])
@given(seed=st.integers(0, 1000), data=st.data())
@settings(max_examples=10, deadline=None)
def test_no_picture_changes_sides_when_pictures_are_added(growth, seed, data):
    before = make_index(CLASSES * 50)
    count = max(1, round(growth * len(before)))
    labels = data.draw(st.lists(st.sampled_from(CLASSES), min_size=count, max_size=count))
    after = join(make_index(labels, prefix="new "), before)
    first, _ = split(before, seed=seed)
    second, _ = split(after, first, seed=seed)
    for column in ("split", "fold"):
        assert sides(second, column)[first["image_id"]].equals(sides(first, column))


@given(growth=st.integers(20, 200))
@settings(max_examples=10, deadline=None)
def test_classes_stay_stratified_as_they_grow(growth):
    first, _ = split(make_index(["cat"] * 50 + ["dog"] * 50))
    after = join(make_index(["cat"] * 50 + ["dog"] * 50), make_index(["dog"] * growth, prefix="n"))
    second, _ = split(after, first)
    dogs = second[second["label"] == "dog"]["split"].value_counts()
    assert abs(dogs["train"] - 0.6 * (50 + growth)) <= 2
    assert abs(dogs["test"] - 0.2 * (50 + growth)) <= 2


def test_a_new_copy_of_an_old_picture_goes_where_the_old_one_is():
    before = make_index(CLASSES * 10)
    first, _ = split(before)
    old = first[first["split"] == "test"].iloc[0]
    copy = make_index([old["label"]], prefix="copy ").assign(sha256=old["sha256"])
    second, _ = split(join(before, copy), first)
    assert sides(second)["copy 0.png"] == "test"


def test_a_renamed_picture_keeps_its_side_and_an_edited_one_too():
    before = make_index(CLASSES * 10)
    first, _ = split(before)
    renamed = before.assign(image_id="other/" + before["image_id"])
    assert split(renamed, first)[0]["split"].tolist() == first["split"].tolist()
    edited = before.assign(sha256="edited " + before["sha256"])
    assert split(regroup(edited), first)[0]["split"].tolist() == first["split"].tolist()


def test_removing_pictures_moves_none_of_the_others():
    before = make_index(CLASSES * 20)
    first, _ = split(before)
    second, _ = split(regroup(before.iloc[10:]), first)
    assert sides(second).equals(sides(first)[second["image_id"]])


def test_a_new_picture_that_is_like_one_of_train_and_one_of_test_is_set_aside():
    before = make_index(CLASSES * 10)
    first, _ = split(before)
    for side, hash_ in (("train", "00ff00ff00ff0000"), ("test", "00ff00ff00ff00ff")):
        picture = first.loc[first["split"] == side, "image_id"].iloc[0]
        before.loc[before["image_id"] == picture, "perceptual_hash"] = hash_
    bridge = make_index(["cat"], prefix="bridge ").assign(perceptual_hash="00ff00ff00ff000f")
    second, _, check = split_and_check(join(before, bridge), first)
    assert check["set_aside"] == ["bridge 0.png"]
    assert check["moved"] == []
    assert sides(second).equals(sides(first))
    # It stays out while both are there, and comes in when one is gone.
    third, _, check = split_and_check(join(before, bridge), second)
    assert check["set_aside"] == ["bridge 0.png"]
    gone = before[before["perceptual_hash"] != "00ff00ff00ff0000"]
    assert "bridge 0.png" in split(join(gone, bridge), third)[0]["image_id"].tolist()


def test_old_pictures_that_turn_out_to_be_of_one_group_are_brought_to_one_side():
    before = make_index(CLASSES * 10)
    first, _ = split(before)
    grouped = before["image_id"].isin(
        [first[first["split"] == side]["image_id"].iloc[0] for side in ("train", "test")]
    )
    after = regroup(before.assign(group=pd.Series(np.where(grouped, "g", None), dtype="str")))
    second, _, check = split_and_check(after, first)
    assert len(check["moved"]) == 1
    assert len(set(sides(second)[before.loc[grouped, "image_id"]])) == 1


@pytest.mark.parametrize("change", [{"seed": 1}, {"train": 0.5, "test": 0.3}])
def test_another_rule_draws_all_pictures_anew(change):
    index = make_index(CLASSES * 20)
    first, _ = split(index)
    assert split(index, first, **change)[0].equals(split(index, **change)[0])


def test_other_folds_leave_the_splits_as_they_are():
    index = make_index(CLASSES * 20)
    first, _ = split(index)
    second, _ = split(index, first, folds=3)
    assert sides(second).equals(sides(first))
    assert set(second["fold"]) == {-1, 0, 1, 2}


def test_the_rule_survives_the_file(tmp_path):
    first, _ = split(make_index(CLASSES * 5))
    first.to_parquet(tmp_path / "splits.parquet", index=False)
    assert pd.read_parquet(tmp_path / "splits.parquet").attrs == first.attrs


def test_a_second_run_on_the_same_pictures_changes_nothing():
    index = make_index(sorted(CLASSES * 20), groups=[f"g{n // 3}" for n in range(80)])
    first, _ = split(index)
    pd.testing.assert_frame_equal(split(index, first)[0], first)
