"""What a classifier has seen, and what may therefore not judge what goes on from it."""

from __future__ import annotations

import pandas as pd
import pytest

from graft.analysis.seen_pictures import find_former, find_moved, hash_data, list_seen

SPLITS = pd.DataFrame(
    {
        "image_id": ["a", "b", "c", "d"],
        "sha256": ["1", "2", "3", "4"],
        "label": ["cat", "dog", "cat", "dog"],
        "split": ["train", "train", "dev", "test"],
    }
)
SEEN = list_seen(SPLITS)


def move(name: str, split: str) -> pd.DataFrame:
    return SPLITS.assign(split=SPLITS["split"].where(SPLITS["image_id"] != name, split))


def test_the_list_is_of_the_data_that_its_hash_says() -> None:
    assert hash_data(SEEN) == hash_data(SPLITS)
    table = list_seen(SPLITS, {"9": "train"})
    assert hash_data(table[~table["is_former"]]) == hash_data(SPLITS)
    assert table[table["is_former"]][["sha256", "split"]].to_numpy().tolist() == [["9", "train"]]


def test_it_names_no_picture() -> None:
    assert "image_id" not in SEEN


def test_where_all_have_stayed_nothing_has_moved() -> None:
    new = pd.DataFrame({"image_id": ["n", "m"], "sha256": ["5", "6"], "split": ["test", "dev"]})
    assert find_moved(SEEN, pd.concat([SPLITS, new])) == []


@pytest.mark.parametrize(
    ("name", "split", "is_told"),
    [
        ("a", "dev", True), ("a", "test", True), ("a", "train_dev", True), ("c", "test", True),
        ("c", "train_dev", True), ("c", "train", False), ("d", "dev", False), ("d", "train", False),
    ],
)  # fmt: skip
def test_what_was_learnt_from_or_chosen_by_must_not_judge(name, split, is_told) -> None:
    assert find_moved(SEEN, move(name, split)) == ([name] if is_told else [])


def test_a_picture_is_known_under_another_name() -> None:
    assert find_moved(SEEN, move("a", "test").assign(image_id=list("wxyz"))) == ["w"]


def test_one_that_was_gone_and_comes_back_is_remembered() -> None:
    without = SPLITS[SPLITS["image_id"] != "a"]
    former = find_former(SEEN, without)
    assert former == {"1": "train"}
    later = list_seen(without, former)
    assert find_former(later, without) == former
    assert find_moved(later, move("a", "test")) == ["a"]


def test_held_out_pictures_that_are_gone_are_forgotten() -> None:
    assert find_former(SEEN, SPLITS[SPLITS["image_id"] != "d"]) == {}


def test_of_two_files_with_the_same_bytes_the_one_of_train_counts() -> None:
    seen = pd.DataFrame({"sha256": ["1", "1"], "split": ["train", "dev"]})
    assert find_former(seen, SPLITS[1:]) == {"1": "train"}
