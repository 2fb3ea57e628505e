"""Pictures without a label: which to label next, and the filled list is taken by the next run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd

from graft.labelling.desk import tell_time
from graft.labelling.journal import Journal
from graft.sources.label_answers import Answer

SMALL = (
    "backbone.name=small_cnn,weights=printed_letters,image_size=32,"
    "label_next.count=6,label_next.typical_labels=14"
)
STAGES = "--pipelines=ingestion,splitting,decoding,feature_extraction,label_next"


def test_a_filled_list_is_labels_for_the_next_run_and_what_is_left_is_known(
    project: Path, flowers: Path, write_picture: Callable, run_kedro: Callable
) -> None:
    for number in range(8):
        write_picture(flowers / f"some {number}.png", (30 * number, 90, 200 - 25 * number))
    given = ("--env=own_pictures", "--params", f"source={flowers},{SMALL}")
    told = run_kedro(STAGES, *given).out
    assert "More labels  What more labels would gain cannot be told: fewer than 30" in told
    assert "Label next   6 of 8 pictures without a label: 4 typical of many others, 2" in told
    file = project / "data/08_reporting/own_pictures/label_next.csv"
    listed = pd.read_csv(file, dtype={"action": "str"})
    assert listed["rank"].tolist() == [1, 2, 3, 4, 5, 6]
    assert listed["label"].isna().all()
    assert set(listed["new_label"]) <= {"fern", "rose"}
    assert listed["reason"].str.startswith("between ").tolist() == [False] * 4 + [True] * 2
    listed.loc[0, ["action", "new_label"]] = ["relabel", "rose"]
    listed.loc[2, "action"] = "drop"
    review = project / "data/01_raw/own_pictures/label_review.csv"
    review.parent.mkdir(parents=True, exist_ok=True)
    listed.to_csv(review, index=False)
    # And one label was given on the page of `kedro label`.
    journal = Journal(review.with_name("label_answers.csv"))
    picture = listed.loc[1, ["image_id", "image_sha256"]]
    journal.append(lambda: [Answer(*picture, "relabel", "rose", False, "Ada", tell_time())])
    told = run_kedro(STAGES, *given).out
    assert "Reviews      2 relabelled, 1 dropped" in told
    assert "Features     0 pictures computed, 5 known" in told
    assert "5 of 5 pictures without a label" in told
    # What was decided stands at its end: it may be copied over the list that was filled before.
    again = pd.read_csv(file)
    assert again["rank"].tolist()[:5] == [1, 2, 3, 4, 5]
    assert again["action"].tolist()[5:] == ["relabel", "relabel", "drop"]


def test_without_a_picture_to_label_one_line_says_so(flowers: Path, run_kedro: Callable) -> None:
    ended = run_kedro(STAGES, "--env=own_pictures", "--params", f"source={flowers},{SMALL}")
    assert ended.code == 1
    assert ended.error.startswith("Error: every picture has a label or is a copy of one")
