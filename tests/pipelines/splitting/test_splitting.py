"""Splitting: every picture in one split, none of its relatives in another, class by class."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from kedro.io import DataCatalog, MemoryDataset
from kedro.runner import SequentialRunner
from pydantic import ValidationError

from graft.errors import GraftError
from graft.images.duplicates import find_links, name_links
from graft.pipelines.splitting import create_pipeline
from graft.pipelines.splitting.nodes import refuse_leaking_splits, summarise_splits
from graft.pipelines.splitting.parameters import SplittingParameters
from helpers.properties import draw_examples
from helpers.splitting import PARAMETERS, make_index, regroup, split

SPLITS = ["train", "dev", "test"]


def get_splits(splits):
    return splits.set_index("image_id")["split"].to_dict()


SHARES = st.lists(st.integers(1, 10), min_size=3, max_size=3).map(
    lambda parts: {name: part / sum(parts) for name, part in zip(SPLITS, parts, strict=True)}
)
SEEDS = st.integers(0, 2**32)
# Rows of (class, group or none, number of the bytes, number of the pixels): equal numbers tie
# pictures to each other, within a class and across classes.
ROWS = st.lists(
    st.tuples(
        st.sampled_from(["cat", "dog", "owl"]),
        st.one_of(st.none(), st.integers(0, 12)),
        st.integers(0, 1000),
        st.integers(0, 1000),
    ),
    max_size=40,
)
# Three that are tied to nothing, of each class, so that it can be split.
LONE_ROWS = [(label, None, -n, -n) for n, label in enumerate(["cat", "dog", "owl"] * 3, start=1)]


def make_tied_index(rows):
    rows = [*rows, *LONE_ROWS]
    index = make_index([row[0] for row in rows])
    index["group"] = pd.Series(
        [None if row[1] is None else f"g{row[1]}" for row in rows], dtype="str"
    )
    index["sha256"] = [f"file {row[2]}" for row in rows]
    index["pixel_sha256"] = [f"pixels {row[3]}" for row in rows]
    return regroup(index)


@pytest.mark.parametrize("column", ["group", "sha256", "pixel_sha256"])
@given(rows=ROWS, seed=SEEDS, shares=SHARES)
@draw_examples(12)
def test_no_two_pictures_that_share_something_are_on_two_sides(column, rows, seed, shares):
    index = make_tied_index(rows)
    splits, _ = split(index, seed=seed, **shares)
    sides = splits["split"].groupby(index[column].to_numpy()).nunique()
    assert (sides <= 1).all()


@given(rows=ROWS, seed=SEEDS, shares=SHARES)
@draw_examples(12)
def test_every_picture_gets_one_split_and_every_class_is_in_every_split(rows, seed, shares):
    index = make_tied_index(rows)
    splits, _ = split(index, seed=seed, **shares)
    assert splits["image_id"].tolist() == index["image_id"].tolist()
    assert set(splits["split"]) == set(SPLITS)
    assert (splits.groupby("label")["split"].nunique() == 3).all()


@given(rows=ROWS, seed=SEEDS, data=st.data())
@draw_examples(12)
def test_the_order_of_the_files_does_not_matter(rows, seed, data):
    index = make_tied_index(rows)
    order = data.draw(st.permutations(range(len(index))))
    splits, _ = split(index, seed=seed)
    shuffled, _ = split(index.iloc[order], seed=seed)
    assert get_splits(shuffled) == get_splits(splits)
    assert shuffled["image_id"].tolist() == index["image_id"].iloc[order].tolist()


@given(counts=st.lists(st.integers(20, 60), min_size=2, max_size=6), seed=SEEDS, shares=SHARES)
@draw_examples(12)
def test_single_pictures_are_shared_out_to_within_one_picture(counts, seed, shares):
    assume(min(shares.values()) * min(counts) >= 1)
    labels = np.repeat([f"class {number}" for number in range(len(counts))], counts)
    splits, _ = split(make_index(labels), seed=seed, **shares)
    sizes = splits["split"].value_counts()
    for name, share in shares.items():
        assert abs(sizes[name] - share * len(labels)) < 1


@given(counts=st.lists(st.integers(20, 60), min_size=2, max_size=6), seed=SEEDS, shares=SHARES)
@draw_examples(12)
def test_every_class_is_shared_out_to_within_two_pictures(counts, seed, shares):
    # Two, not one: a class may give back what rounding took in the class before it.
    assume(min(shares.values()) * min(counts) >= 1)
    labels = np.repeat([f"class {number}" for number in range(len(counts))], counts)
    splits, _ = split(make_index(labels), seed=seed, **shares)
    sizes = pd.crosstab(splits["label"], splits["split"])
    for name, share in shares.items():
        wanted = share * sizes.sum(axis=1)
        assert (sizes[name] - wanted).abs().max() < 2


def test_five_pictures_of_each_class_are_split_three_to_one_to_one():
    splits, _ = split(make_index(["cat", "dog"] * 5))
    sizes = pd.crosstab(splits["label"], splits["split"])
    assert sizes.loc["cat"].to_dict() == {"train": 3, "dev": 1, "test": 1}
    assert sizes.loc["dog"].to_dict() == {"train": 3, "dev": 1, "test": 1}


def test_the_same_seed_gives_the_same_splits_and_another_seed_others():
    index = make_index(["cat", "dog"] * 50)
    first, again, other = (get_splits(split(index, seed=seed)[0]) for seed in (3, 3, 4))
    assert first == again
    assert first != other


def test_the_splits_hold_what_later_stages_need():
    splits, _ = split(make_index(["cat", "dog"] * 5, groups=[f"g{n}" for n in range(10)]))
    assert list(splits.columns) == [
        "image_id", "label", "label_index", "group", "source", "sha256", "cluster",
        "weight", "split", "fold", "pixel_sha256", "perceptual_hash",
        "thumbnail", "value_range",
    ]  # fmt: skip
    assert splits["label_index"].dtype == np.int32
    assert splits["group"].tolist() == [f"g{n}" for n in range(10)]


def test_class_names_are_in_order_and_label_index_counts_in_it():
    splits, class_names = split(make_index(["rose", "Ähre", "daisy", "10", "2"] * 4))
    assert class_names == sorted(["rose", "Ähre", "daisy", "10", "2"])
    assert [class_names[number] for number in splits["label_index"]] == splits["label"].tolist()


def test_quarantined_and_unlabelled_pictures_are_left_out():
    index = make_index(["cat", "dog"] * 5)
    index.loc[0, "status"] = "quarantined"
    index.loc[1, "label"] = None
    splits, _ = split(index)
    assert splits["image_id"].tolist() == [f"{number}.png" for number in range(2, 10)]


def test_a_class_of_quarantined_pictures_alone_is_no_class():
    index = make_index(["cat", "dog", "owl"] * 4)
    index.loc[index["label"] == "owl", "status"] = "quarantined"
    assert split(index)[1] == ["cat", "dog"]


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (["cat"] * 9, r"at least 2 classes.*got \['cat'\]$"),
        ([None] * 9, r"at least 2 classes.*got no labels at all$"),
        (
            ["cat"] * 9 + ["dog"] * 2,
            r"class 'dog' is too small .* its 2 .*class needs 3",
        ),
    ],
    ids=["one class", "no labels", "two pictures"],
)
def test_what_cannot_be_split_is_refused(labels, message):
    with pytest.raises(GraftError, match=message):
        split(make_index(labels))


def test_many_pictures_in_two_groups_are_too_few_groups():
    index = make_index(["cat"] * 9 + ["dog"] * 9, [None] * 9 + ["a"] * 5 + ["b"] * 4)
    with pytest.raises(GraftError, match=r"class 'dog' is too small to split: its 9 .* are 2 that"):
        split(index)


def test_a_class_that_lies_in_one_group_of_another_class_is_refused():
    # The owl is only seen beside cats: it would be in one split and in no other.
    index = make_index(
        ["cat"] * 9 + ["dog"] * 9 + ["owl"], ["aviary"] * 2 + [None] * 16 + ["aviary"]
    )
    with pytest.raises(GraftError, match="class 'owl' is too small to split"):
        split(index)


def test_three_pictures_of_a_class_are_enough():
    splits, _ = split(make_index(["cat"] * 3 + ["dog"] * 3))
    assert sorted(splits["split"]) == sorted(SPLITS * 2)


def test_a_group_of_two_classes_counts_for_the_more_frequent_one():
    labels = ["cat", "cat", "dog", *["cat"] * 7, *["dog"] * 9]
    splits, _ = split(make_index(labels, ["pair"] * 3 + [None] * 16))
    assert len(set(splits["split"].iloc[:3])) == 1


def test_the_summary_tells_how_far_each_class_is_from_its_shares():
    splits, _ = split(make_index(["cat"] * 10 + ["dog"] * 11))
    summary = summarise_splits(splits, PARAMETERS).set_index(["label", "split"])
    assert summary.loc[("cat", "train")].to_dict() == {
        "pictures": 6, "share": 0.6, "wanted": 0.6, "deviation": 0.0,
    }  # fmt: skip
    assert summary.loc["dog", "pictures"].sum() == 11
    assert summary["deviation"].abs().max() < 100 / 11


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"train": 0.7}, r"must sum to 1, such as 0\.6, 0\.2 and 0\.2; got 0\.7 \+ .* = 1\.1"),
        ({"train": 0.0, "dev": 0.8}, "greater than 0"),
        ({"train": 1.0}, "less than 1"),
        ({"test": -0.2, "dev": 0.6}, "greater than 0"),
        ({"seed": -1}, "greater than or equal to 0"),
        ({"tset": 0.2}, "tset\n.*not permitted"),
        ({"train": "most"}, "valid number"),
        ({"few": 100, "many": 100}, "many must be more than few; got many = 100, few = 100"),
        ({"folds": 1}, "greater than or equal to 2"),
        ({"near_duplicate_radius": 9}, "less than or equal to 8"),
    ],
)
def test_impossible_parameters_are_refused(changes, message):
    with pytest.raises(ValidationError, match=message):
        SplittingParameters(**{**PARAMETERS.model_dump(), **changes})


def test_shares_may_be_rounded():
    thirds = {"train": 0.3333333, "dev": 0.3333333, "test": 0.3333334}
    assert SplittingParameters(**{**PARAMETERS.model_dump(), **thirds}).train == 0.3333333


def make_splits(rows):
    splits = pd.DataFrame(rows, columns=["image_id", "group", "split"]).astype("str")
    return splits.assign(cluster=range(len(splits)))


def test_splits_without_a_leak_pass():
    splits = make_splits([("a", "g", "train"), ("b", "g", "train"), ("c", None, "test")])
    assert refuse_leaking_splits(splits) is splits


def test_pictures_in_no_group_may_be_on_two_sides():
    refuse_leaking_splits(make_splits([("a", None, "train"), ("b", None, "test")]))


def test_a_picture_that_stands_there_twice_is_refused():
    splits = make_splits([("a", None, "train"), ("b", None, "dev"), ("b", None, "test")])
    with pytest.raises(GraftError, match=r"1 pictures stand in splits more than once.*is 'b'$"):
        refuse_leaking_splits(splits)


def test_a_group_on_two_sides_is_refused():
    splits = make_splits([("a", "g", "train"), ("b", "h", "dev"), ("c", "h", "test")])
    with pytest.raises(GraftError, match=r"1 groups have pictures in two splits.*is 'h'$"):
        refuse_leaking_splits(splits)


def test_a_cluster_on_two_sides_is_refused():
    splits = make_splits([("a", None, "train"), ("b", None, "test")]).assign(cluster=7)
    with pytest.raises(GraftError, match=r"1 clusters have pictures in two splits.*is '7'$"):
        refuse_leaking_splits(splits)


def test_the_pipeline_goes_from_the_index_to_the_splits():
    index = make_index(["cat", "dog"] * 5)
    catalog = DataCatalog(
        {
            "image_index": MemoryDataset(index),
            "image_links": MemoryDataset(name_links(index, find_links(index, 4))),
            "previous_splits": MemoryDataset(None),
            "params:splitting": MemoryDataset(PARAMETERS),
            **{name: MemoryDataset() for name in ("splits", "class_names", "split_summary")},
            "split_check": MemoryDataset(),
        }
    )
    SequentialRunner().run(create_pipeline(), catalog)
    assert catalog.load("class_names") == ["cat", "dog"]
    assert catalog.load("split_check")["leaking"] == 0
    assert catalog.load("split_summary")["pictures"].sum() == 10
