"""Growth: pictures that have a side stay on it, whatever is added, removed or renamed."""

from __future__ import annotations

import base64

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.properties import draw_examples
from helpers.splitting import make_index, regroup, split, split_and_check

CLASSES = ["cat", "dog", "owl", "fox"]


def sides(splits, column="split"):
    return splits.set_index("image_id")[column]


def join(*indexes):
    return regroup(pd.concat(indexes, ignore_index=True))


@pytest.mark.parametrize("growth", [0.01, 0.1, 1.0])
@given(seed=st.integers(0, 1000), data=st.data())
@draw_examples(4)
def test_no_picture_changes_sides_when_pictures_are_added(growth, seed, data):
    before = make_index(CLASSES * 50)
    count = max(1, round(growth * len(before)))
    labels = data.draw(st.lists(st.sampled_from(CLASSES), min_size=count, max_size=count))
    after = join(make_index(labels, prefix="new "), before)
    first, _ = split(before, seed=seed)
    second, _ = split(after, first, seed=seed)
    for column in ("split", "fold"):
        assert sides(second, column)[first["image_id"]].equals(sides(first, column))


@given(seed=st.integers(0, 1000), count=st.integers(3, 60))
@draw_examples(4)
def test_no_picture_changes_sides_when_a_class_is_added(seed, count):
    before = make_index(CLASSES * 20)
    first, _ = split(before, seed=seed)
    # By its name before, between and behind the others.
    for name in ("ant", "eel", "yak"):
        after = join(make_index([name] * count, prefix="new "), before)
        second, _ = split(after, first, seed=seed)
        for column in ("split", "fold"):
            assert sides(second, column)[first["image_id"]].equals(sides(first, column))


@given(growth=st.integers(20, 200))
@draw_examples(4)
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


def make_hashed(count):
    """Pictures of two classes, each with a look of its own."""
    index = make_index(["cat", "dog"] * (count // 2))
    hashes = np.random.default_rng(0).integers(0, 2**63, count)
    index["perceptual_hash"] = pd.Series([f"{number:016x}" for number in hashes], dtype="str")
    return regroup(index)


def flip_bits(hashes, bits=2):
    return [f"{int(text, 16) ^ (2**bits - 1):016x}" for text in hashes]


def change_colours(texts, levels=5):
    colours = [np.frombuffer(base64.b64decode(text), np.uint8) for text in texts]
    return [base64.b64encode(np.minimum(one, 250) + np.uint8(levels)).decode() for one in colours]


@pytest.mark.parametrize(
    "saved", ["same pixels", "look alike", "on white"],
    ids=["without a loss", "at quality 80", "at quality 80, on white"],
)  # fmt: skip
def test_a_picture_saved_again_under_another_s_name_stays_where_it_was(saved):
    before = make_hashed(40)
    if saved == "on white":
        colours = np.random.default_rng(1).integers(0, 256, (40, 192), np.uint8)
        before["thumbnail"] = [base64.b64encode(row).decode() for row in colours]
        before = regroup(before.assign(perceptual_hash=None))
    first, _ = split(before)
    # The first two are deleted, the others get the names before theirs, and other bytes.
    after = before.iloc[2:].copy()
    after["image_id"] = before["image_id"].iloc[:-2].to_numpy()
    after["sha256"] = "again " + after["sha256"]
    if saved == "on white":
        after["pixel_sha256"] = "again " + after["pixel_sha256"]
        after["thumbnail"] = change_colours(after["thumbnail"])
    if saved == "look alike":
        after["pixel_sha256"] = "again " + after["pixel_sha256"]
        after["perceptual_hash"] = flip_bits(after["perceptual_hash"])
    second, _ = split(regroup(after.reset_index(drop=True)), first)
    was = sides(first)[before["image_id"].iloc[2:]].to_numpy()
    now = sides(second)[before["image_id"].iloc[:-2]].to_numpy()
    assert not ((was == "test") & (now != "test")).any()
    assert (was == now).all()


def test_another_picture_of_a_known_name_is_a_new_one():
    before = make_hashed(40)
    first, _ = split(before)
    test = first.loc[first["split"] == "test", "image_id"].iloc[0]
    rows = before["image_id"] == test
    after = before.copy()
    after.loc[rows, ["sha256", "pixel_sha256"]] = "new"
    look = before.loc[rows, "perceptual_hash"].iloc[0]
    after.loc[rows, "perceptual_hash"] = f"{int(look, 16) ^ (2**40 - 1):016x}"
    more = make_index(["cat", "dog"] * 40, prefix="more ")
    grown = regroup(pd.concat([after, more], ignore_index=True))
    # By its name it would stay in test whatever the seed of the hash: here its content says.
    second, _ = split(grown, first)
    renamed = regroup(grown.assign(image_id=grown["image_id"].replace(test, "renamed.png")))
    third, _ = split(renamed, first)
    assert sides(second)[test] == sides(third)["renamed.png"]


def test_splits_that_an_older_program_left_know_pictures_by_bytes_and_name():
    before = make_hashed(40)
    first, _ = split(before)
    old = first.drop(columns=["pixel_sha256", "perceptual_hash"])
    old.attrs = first.attrs
    assert sides(split(before, old)[0]).equals(sides(first))


def test_a_class_that_has_lost_its_test_pictures_gets_others_from_train():
    before = make_index(["cat", "dog"] * 20)
    first, _ = split(before)
    gone = first[(first["label"] == "cat") & (first["split"] == "test")]["image_id"]
    assert len(gone) == 4
    after = regroup(before[~before["image_id"].isin(gone)].reset_index(drop=True))
    second, _ = split(after, first)
    cats = second[second["label"] == "cat"]
    assert {*cats["split"]} == {"train", "dev", "test"}
    others = second[second["split"].ne("test") | second["label"].eq("dog")]["image_id"]
    # Nobody else moves, and nothing of dev becomes test.
    assert sides(second)[others].equals(sides(first)[others])
    moved = cats[cats["split"] == "test"]["image_id"]
    assert {*sides(first)[moved]} == {"train"}
