"""The gate: a leaking pair fails the run and is named."""

from __future__ import annotations

import pytest

from graft.errors import GraftError
from graft.images import duplicates
from graft.images.duplicates import find_links
from graft.pipelines.ingestion.conflicts import cluster_pictures
from graft.pipelines.splitting.leaks import refuse_leaks
from graft.pipelines.splitting.nodes import split_images
from helpers.splitting import PARAMETERS, make_index


def check(pictures, radius):
    return refuse_leaks(pictures, find_links(pictures, radius))


def make_pictures(**changes):
    pictures = make_index(["cat", "cat", "dog"]).assign(split=["train", "test", "test"])
    for column, values in changes.items():
        pictures[column] = values
    return pictures.astype({"perceptual_hash": "str", "group": "str"})


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"group": ["a", "a", "b"]}, "same group"),
        ({"sha256": ["x", "x", "y"]}, "same bytes"),
        ({"pixel_sha256": ["x", "x", "y"]}, "same pixels"),
        ({"perceptual_hash": ["00ff00ff00ff00ff", "00ff00ff00ff00ff", None]}, "look alike"),
        ({"perceptual_hash": ["00ff00ff00ff00ff", "00ff00ff00ff00f0", None]}, "look alike"),
    ],
)
def test_a_pair_on_two_sides_is_named(changes, reason):
    with pytest.raises(GraftError, match=rf"'0.png' \(train\) and '1.png' \(test\): {reason}$"):
        check(make_pictures(**changes), radius=4)


def test_pairs_on_one_side_pass_and_are_counted():
    pictures = make_pictures(group=[None, "a", "a"], sha256=["x", "y", "y"])
    assert check(pictures, radius=4) == {"pairs": 2, "leaking": 0}


def test_hashes_further_apart_than_the_radius_are_no_pair():
    pictures = make_pictures(perceptual_hash=["00ff00ff00ff00ff", "00ff00ff00ff001f", None])
    with pytest.raises(GraftError):
        check(pictures, radius=3)
    assert check(pictures, radius=2)["pairs"] == 0
    assert check(pictures, radius=None)["pairs"] == 0


def test_what_ingestion_has_searched_splitting_does_not_search_again(monkeypatch):
    index = make_index(["cat", "dog"] * 20, sources=["a"] * 40)
    index["perceptual_hash"] = [f"{5**n % 2**64:016x}" for n in range(20) for _ in "12"]
    searches = []
    real = duplicates.find_near_pairs

    def note(hashes, *arguments):
        searches.append(len(hashes))
        return real(hashes, *arguments)

    monkeypatch.setattr(duplicates, "find_near_pairs", note)
    found = cluster_pictures(index.drop(columns="cluster"), radius=4)
    _, _, check = split_images(found.index, found.links, None, PARAMETERS)
    assert check["pairs"] >= 20
    assert [count for count in searches if count] == [20]
