"""The verdict on pictures without a label: gained, no gain or refused, and by how much."""

from __future__ import annotations

import numpy as np
import pytest

from graft.analysis.choosing import Outcome
from graft.analysis.unlabelled_verdicts import Pool, judge_student

CLUSTERS = np.arange(40)


def judge(teacher: int, student: int, *, pool: Pool | None = None, student_loss: float = 0.2):
    """Both name the first pictures of forty rightly, so many."""
    outcomes = {
        "teacher": Outcome(teacher > CLUSTERS, 0.3, 0.0),
        "student": Outcome(student > CLUSTERS, student_loss, 1.0),
    }
    chosen = min(outcomes, key=lambda way: outcomes[way].rank)
    return judge_student(outcomes, chosen, "teacher", "student", pool or Pool(371, 29), CLUSTERS)


@pytest.mark.parametrize(
    ("teacher", "student", "verdict", "begins", "ends"),
    [
        (
            30, 36, "gained", "Pictures without a label helped: with 371 of them",
            "90.0 % of dev are named rightly, without 75.0 % (+15.0 points; 6 won, 0 lost).",
        ),
        (
            30, 30, "no gain", "Pictures without a label gained nothing: with 371 of them",
            "as without, 75.0 % of dev are named rightly; only its log loss is lower.",
        ),
        (
            36, 30, "refused", "Pictures without a label were refused: with 371 of them",
            "75.0 % of dev are named rightly, without 90.0 % (-15.0 points; 0 won, 6 lost).",
        ),
    ],
)  # fmt: skip
def test_it_says_by_how_much_with_how_many_and_how_many_were_left_out(
    teacher, student, verdict, begins, ends
) -> None:
    found = judge(teacher, student)
    far = "29 more are unlike any with a label and were left out."
    assert (found["verdict"], found["sentence"]) == (verdict, f"{begins} {ends} {far}")
    assert (found["used"], found["left_out"], found["measured"]) == (371, 29, 40)


def test_as_many_right_and_a_higher_log_loss_leave_them_alone() -> None:
    found = judge(30, 30, student_loss=0.4)
    assert "they are not learnt from" in found["sentence"]
    assert [way["is_chosen"] for way in found["ways"]] == [True, False]


def test_a_picture_more_may_be_chance_and_six_are_not() -> None:
    assert "1 won, 0 lost, may be chance" in judge(30, 31)["sentence"]
    assert "chance" not in judge(30, 36)["sentence"]


def test_where_folds_decided_they_are_named_and_where_nothing_was_left_out_nothing_is_said() -> (
    None
):
    sentence = judge(30, 36, pool=Pool(12, 0, measured_on="folds"))["sentence"]
    assert sentence.endswith("(+15.0 points; 6 won, 0 lost).")
    assert "90.0 % of folds of train and dev" in sentence


def test_where_all_are_unlike_what_has_a_label_there_is_nothing_to_learn_from() -> None:
    assert judge(30, 30, pool=Pool(0, 29))["sentence"] == (
        "There was nothing to learn from without a label. 29 are unlike any with a label and were "
        "left out."
    )


def test_those_of_which_the_teacher_is_not_sure_are_counted() -> None:
    sentence = judge(30, 36, pool=Pool(12, 0, unsure=7))["sentence"]
    assert sentence.endswith("0 lost). Of 7 more the teacher is not sure enough.")
