"""Which pictures are worth a look, and which pairs of classes are confused."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from graft.analysis.mistakes import (
    judge_pictures,
    pair_confusions,
    select_close_hits,
    select_mistakes,
)
from graft.errors import GraftError

NAMES = ["cat", "dog", "fox"]


def make_predictions(labels: str, probabilities: list[list[float]]) -> pd.DataFrame:
    values = np.array(probabilities, np.float32).reshape(-1, 3)
    whole = {name[0]: name for name in NAMES}
    table = pd.DataFrame(values, columns=[f"probability_{name}" for name in NAMES])
    table.insert(0, "predicted", np.array(NAMES)[values.argmax(axis=1)] if len(values) else [])
    table.insert(0, "label", [whole[letter] for letter in labels])
    table.insert(0, "image_id", [f"{number}.png" for number in range(len(labels))])
    return table


@pytest.fixture
def judged() -> pd.DataFrame:
    rows = [
        [0.9, 0.1, 0.0],  # a cat, right
        [0.2, 0.8, 0.0],  # a cat taken for a dog
        [0.7, 0.2, 0.1],  # a dog taken for a cat
        [0.0, 0.4, 0.6],  # a dog taken for a fox
        [0.3, 0.3, 0.4],  # a fox, just right
        [0.1, 0.8, 0.1],  # a cat taken for a dog
    ]
    return judge_pictures(make_predictions("ccddfc", rows), NAMES)


def test_a_picture_has_the_probabilities_of_what_was_said_and_what_is(judged) -> None:
    assert judged["probability"].round(2).tolist() == [0.9, 0.8, 0.7, 0.6, 0.4, 0.8]
    assert judged["label_probability"].round(2).tolist() == [0.9, 0.2, 0.2, 0.4, 0.4, 0.1]


def test_the_most_confident_mistakes_come_first_and_equals_by_name(judged) -> None:
    assert select_mistakes(judged, 9)["image_id"].tolist() == ["1.png", "5.png", "2.png", "3.png"]
    assert select_mistakes(judged, 1)["image_id"].tolist() == ["1.png"]


def test_the_least_confident_hits_come_first(judged) -> None:
    assert select_close_hits(judged, 9)["image_id"].tolist() == ["4.png", "0.png"]


def test_pairs_count_both_directions_the_commonest_first(judged) -> None:
    first, second = pair_confusions(judged, 9, 2)
    assert first == {
        "first": "cat", "second": "dog", "count": 3, "first_as_second": 2, "second_as_first": 1,
        "first_pictures": 3, "second_pictures": 2, "examples": [1, 5],
    }  # fmt: skip
    assert (second["first"], second["second"], second["count"]) == ("dog", "fox", 1)
    assert len(pair_confusions(judged, 1, 2)) == 1


@pytest.mark.parametrize(
    ("labels", "mistakes", "hits"),
    [("ccc", 0, 3), ("ddd", 3, 0), ("", 0, 0)],
    ids=["perfect", "all wrong", "no picture"],
)
def test_extremes_leave_lists_empty(labels: str, mistakes: int, hits: int) -> None:
    judged = judge_pictures(make_predictions(labels, [[1.0, 0.0, 0.0]] * len(labels)), NAMES)
    assert len(select_mistakes(judged, 9)) == mistakes
    assert len(select_close_hits(judged, 9)) == hits
    assert len(pair_confusions(judged, 9, 1)) == bool(mistakes)


def test_a_probability_that_is_no_number_is_refused() -> None:
    predictions = make_predictions("cd", [[1.0, 0.0, 0.0], [np.nan, 0.5, 0.5]])
    with pytest.raises(GraftError, match=r"train the model again.*got 1 pictures.*'1.png'"):
        judge_pictures(predictions, NAMES)
