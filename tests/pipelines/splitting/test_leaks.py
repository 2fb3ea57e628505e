"""The gate: a leaking pair fails the run and is named."""

from __future__ import annotations

import pytest

from graft.errors import GraftError
from graft.pipelines.splitting.nodes import refuse_leaks
from helpers.splitting import make_index


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
        refuse_leaks(make_pictures(**changes), radius=4)


def test_pairs_on_one_side_pass_and_are_counted():
    pictures = make_pictures(group=[None, "a", "a"], sha256=["x", "y", "y"])
    assert refuse_leaks(pictures, radius=4) == {"pairs": 2, "leaking": 0}


def test_hashes_further_apart_than_the_radius_are_no_pair():
    pictures = make_pictures(perceptual_hash=["00ff00ff00ff00ff", "00ff00ff00ff001f", None])
    with pytest.raises(GraftError):
        refuse_leaks(pictures, radius=3)
    assert refuse_leaks(pictures, radius=2)["pairs"] == 0
    assert refuse_leaks(pictures, radius=None)["pairs"] == 0
