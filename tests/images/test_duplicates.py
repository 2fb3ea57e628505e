"""Copies: what is linked, which clusters come of it, and where labels disagree."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graft.images import duplicates
from graft.images.duplicates import (
    find_clusters,
    find_links,
    link_remaining,
    list_conflicts,
    list_duplicates,
    name_links,
)

NO_LINKS = pd.DataFrame({"left": [0], "right": [0], "kind": "", "distance": 0}).head(0)


def make_index(rows, **columns):
    """Rows of label, bytes, pixels and hash; missing hashes link nothing."""
    index = pd.DataFrame(rows, columns=["label", "sha256", "pixel_sha256", "perceptual_hash"])
    index.insert(0, "image_id", [f"{number}.jpg" for number in range(len(rows))])
    index["group"] = None
    index = index.assign(**columns).astype("str")
    return index.assign(cluster=find_clusters(index, find_links(index, radius=4)))


def link(index, radius=4):
    links = find_links(index, radius)
    return sorted(zip(links["left"], links["right"], links["kind"], links["distance"], strict=True))


def test_equal_bytes_equal_pixels_and_near_hashes_are_linked():
    index = make_index(
        [
            ("cat", "a", "p", "00ff00ff00ff00ff"),
            ("cat", "a", "p", "00ff00ff00ff00ff"),
            ("cat", "b", "p", "00ff00ff00ff00ff"),
            ("cat", "c", "q", "00ff00ff00ff00fc"),
            ("cat", "d", "r", "ffffffff00000000"),
        ]
    )
    assert link(index) == [
        (0, 1, "look alike", 0), (0, 1, "same bytes", 0), (0, 1, "same pixels", 0),
        (0, 2, "look alike", 0), (0, 2, "same pixels", 0), (0, 3, "look alike", 2),
    ]  # fmt: skip
    assert index["cluster"].tolist() == [0, 0, 0, 0, 1]


def test_without_a_radius_looks_link_nothing_and_with_0_only_equal_hashes_do():
    index = make_index(
        [("cat", "a", "p", "0f0f0f0f0f0f0f0f"), ("cat", "b", "q", "0f0f0f0f0f0f0f0f"),
         ("cat", "c", "r", "0f0f0f0f0f0f0f0e")]
    )  # fmt: skip
    assert link(index, radius=None) == []
    assert link(index, radius=0) == [(0, 1, "look alike", 0)]
    assert len(link(index, radius=1)) == 2


def test_pictures_are_linked_by_chains_and_groups():
    index = make_index(
        [("cat", "a", "p", None), ("cat", "a", "q", None), ("dog", "b", "q", None),
         ("dog", "c", "r", None), ("dog", "d", "s", None)],
        group=[None, None, "g", "g", None],
    )  # fmt: skip
    assert index["cluster"].tolist() == [0, 0, 0, 0, 1]


@pytest.mark.parametrize("column", ["group", "sha256", "pixel_sha256", "perceptual_hash"])
def test_missing_values_link_nothing(column):
    index = make_index([("cat", str(n), str(n), None) for n in range(4)])
    index[column] = pd.Series([None] * 4, dtype="str")
    assert find_clusters(index, find_links(index, 4)).tolist() == [0, 1, 2, 3]


def test_every_copy_is_listed_once_with_the_closest_earlier_picture():
    index = make_index(
        [("cat", "a", "p", "00ff00ff00ff00ff"), ("cat", "b", "q", "00ff00ff00ff00fe"),
         ("cat", "b", "q", "00ff00ff00ff00fe"), ("cat", "c", "p", "00ff00ff00ff00ff")]
    )  # fmt: skip
    copies = list_duplicates(index, find_links(index, 4))
    assert copies[["image_id", "kind", "same_as", "distance"]].to_numpy().tolist() == [
        ["1.jpg", "look alike", "0.jpg", 1],
        ["2.jpg", "same bytes", "1.jpg", 0],
        ["3.jpg", "same pixels", "0.jpg", 0],
    ]


def test_the_same_pixels_under_two_labels_are_a_conflict_of_all_that_have_them():
    index = make_index(
        [("cat", "a", "p", None), ("cat", "b", "p", None), ("dog", "c", "p", None),
         ("dog", "d", "q", None), (None, "e", "p", None)]
    )  # fmt: skip
    conflicts = list_conflicts(index, find_links(index, 4))
    assert conflicts[["image_id", "label", "same_as", "other_label"]].to_numpy().tolist() == [
        ["0.jpg", "cat", "2.jpg", "dog"],
        ["1.jpg", "cat", "2.jpg", "dog"],
        ["2.jpg", "dog", "0.jpg", "cat"],
    ]
    assert set(conflicts["kind"]) == {"same pixels"}


def test_lookalikes_under_two_labels_are_listed_as_such():
    index = make_index(
        [("cat", "a", "p", "00ff00ff00ff00ff"), ("dog", "b", "q", "00ff00ff00ff00fe")]
    )
    conflicts = list_conflicts(index, find_links(index, 4))
    assert conflicts[["image_id", "kind", "same_as", "distance"]].to_numpy().tolist() == [
        ["0.jpg", "look alike", "1.jpg", 1],
        ["1.jpg", "look alike", "0.jpg", 1],
    ]


def test_two_parts_of_one_photo_may_have_two_labels():
    # Crops: the same bytes, other pixels.
    index = make_index([("cat", "a", "p", None), ("dog", "a", "q", None)])
    assert list_conflicts(index, find_links(index, 4)).empty
    assert index["cluster"].tolist() == [0, 0]


def test_without_copies_the_lists_are_empty_but_have_their_columns():
    index = make_index([("cat", "a", "p", None), ("dog", "b", "q", None)])
    links = find_links(index, 4)
    assert list(list_duplicates(index, links).columns) == [
        "image_id", "label", "cluster", "kind", "same_as", "distance",
    ]  # fmt: skip
    assert "other_label" in list_conflicts(index, links).columns


@given(
    rows=st.lists(
        st.tuples(
            st.sampled_from(["cat", "dog"]),
            st.sampled_from("abcdefgh"),
            st.sampled_from("pqrstuvw"),
            st.sampled_from(["00", "03", "0f", "3f", "ff", None]),
        ),
        min_size=1,
        max_size=12,
    ),
    data=st.data(),
)
@settings(max_examples=50, deadline=None)
def test_pictures_that_remain_are_linked_as_if_searched_anew(rows, data):
    hashes = [(*row[:3], row[3] and row[3] * 8) for row in rows]
    index = make_index(hashes)
    index["cluster"] = index["cluster"].astype("Int64")
    stay = data.draw(st.lists(st.booleans(), min_size=len(rows), max_size=len(rows)))
    remain = index[np.array(stay)].reset_index(drop=True)
    named = name_links(index, find_links(index, 8))
    links = link_remaining(index, named, remain, 8)
    assert (links["left"] < links["right"]).all()
    anew = find_clusters(remain, find_links(remain, 8))
    assert find_clusters(remain, links).tolist() == anew.tolist()


def test_only_clusters_that_lost_a_picture_are_searched_again(monkeypatch):
    apart = ["00ff00ff00ff00ff", "00ff00ff00ff000f", "00ff00ff00ff0000", "ff00ff00ff00ff00"]
    index = make_index([("cat", str(n), str(n), hash_) for n, hash_ in enumerate(apart * 2)])
    named = name_links(index, find_links(index, 4))
    searched = []
    monkeypatch.setattr(
        duplicates, "find_links", lambda some, _: searched.extend(some["image_id"]) or NO_LINKS
    )
    link_remaining(index, named, index, 4)
    assert searched == []
    link_remaining(index, named, index.drop(index=[3]).reset_index(drop=True), 4)
    assert searched == ["7.jpg"]
