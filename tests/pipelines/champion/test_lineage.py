"""Where the champion comes from: what it has seen, and what dev said to a warm start."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from graft.analysis.seen_pictures import hash_data
from graft.pipelines.champion.lineage import describe_warm_start, list_champion_pictures

START = {
    "champion": "0123456789abcdef", "model": "frozen", "recipe": None, "pictures": 1190,
    "steps": 1, "new": 10, "new_train": 6, "former": {"9": "train"},
}  # fmt: skip
NONE = {"champion": None}
NAMES = ["frozen", "fine_tuned"]


def make_history(kept: int) -> pd.DataFrame:
    epochs = np.arange(3)
    return pd.DataFrame(
        {"epoch": epochs, "dev_accuracy": 0.9 + epochs / 100, "dev_loss": 0.25 - epochs / 100,
         "kept": epochs == kept}
    )  # fmt: skip


def describe(chosen: str, head: int, tail: int | None = None, **start: object) -> dict:
    tables = [make_history(head), make_history(0)[:0] if tail is None else make_history(tail)]
    predictions = pd.DataFrame({"model": [chosen]})
    found = describe_warm_start({**START, **start}, predictions, *tables, names=NAMES)
    assert json.loads(json.dumps(found)) == found
    return found


def test_the_champion_keeps_a_list_of_what_it_has_seen(splits) -> None:
    table = list_champion_pictures(splits)
    assert hash_data(table) == hash_data(splits)
    later = list_champion_pictures(splits, START)
    assert later.loc[later["is_former"], "sha256"].tolist() == ["9"]
    pd.testing.assert_frame_equal(list_champion_pictures(splits, NONE), table)


def test_new_weights_are_told_with_what_the_old_ones_did() -> None:
    found = describe("frozen", head=2)
    assert (found["weights"], found["chosen"], found["steps"]) == ("new", "frozen", 2)
    assert found["dev_before"] == pytest.approx({"accuracy": 0.9, "log_loss": 0.25})
    assert found["dev_after"] == pytest.approx({"accuracy": 0.92, "log_loss": 0.23})
    assert found["sentence"] == (
        "number 2 since all was trained anew, from champion 0123456789ab (frozen, 1,190 pictures), "
        "with 10 new; dev chose its weights trained on: accuracy 0.900 → 0.920, log loss 0.2500 → "
        "0.2300."
    )


def test_old_weights_are_told_to_have_stayed() -> None:
    found = describe("frozen", head=0, steps=0)
    assert found["weights"] == "old"
    assert found["sentence"].startswith("the first since all was trained anew")
    assert (
        "nothing better than its own weights, accuracy 0.900, log loss 0.2500"
        in (found["sentence"])
    )


@pytest.mark.parametrize(
    ("chosen", "head", "tail", "weights"),
    [("fine_tuned", 2, 0, "old"), ("fine_tuned", 0, 1, "new"), ("frozen", 0, 0, "new")],
    ids=["tail as it was", "tail trained on", "the head beside it"],
)
def test_a_fine_tuned_champion_is_compared_with_its_own_tail(chosen, head, tail, weights) -> None:
    found = describe(chosen, head, tail, model="fine_tuned")
    assert found["weights"] == weights
    assert ("the frozen classifier trained beside it" in found["sentence"]) == (chosen == "frozen")


def test_one_that_was_tuned_no_deeper_than_the_head_is_a_head() -> None:
    assert describe("fine_tuned", head=2, model="fine_tuned")["chosen"] == "frozen"


def test_without_a_champion_nothing_is_told() -> None:
    assert describe_warm_start(NONE, pd.DataFrame({"model": ["frozen"]}), names=[]) == {}
