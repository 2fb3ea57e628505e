"""Pictures without a label: one of each cluster, none of a cluster that has a label already."""

from __future__ import annotations

import pandas as pd
import pytest

from graft.errors import GraftError
from graft.pipelines.unlabelled import select_unlabelled

# A labelled picture and its copy, a track of three, a single one and a broken one.
INDEX = pd.DataFrame(
    {
        "image_id": ["known", "its_copy", "track_1", "track_2", "track_3", "single", "broken"],
        "sha256": ["a", "a", "e", "b", "d", "c", "f"],
        "cluster": [0, 0, 1, 1, 1, 2, 3],
        "label": pd.Series(["rose", *[None] * 6], dtype="str"),
        "status": [*["ok"] * 6, "broken"],
    }
)


def test_of_a_track_that_picture_is_taken_on_which_the_lot_of_its_hash_falls() -> None:
    chosen = select_unlabelled(INDEX)
    assert chosen["image_id"].tolist() == ["track_2", "single"]


def test_a_picture_that_is_added_to_the_end_of_a_track_need_not_change_it() -> None:
    more = INDEX.iloc[[2]].assign(image_id="track_4", sha256="z")
    again = select_unlabelled(pd.concat([INDEX, more], ignore_index=True))
    pd.testing.assert_frame_equal(again, select_unlabelled(INDEX))


def test_where_all_have_a_label_one_line_says_so() -> None:
    with pytest.raises(GraftError, match=r"every picture has a label or is a copy .* got 2 pic"):
        select_unlabelled(INDEX.iloc[[0, 1]])
