"""The first questions of the report: answered from what was found, silent where nothing was."""

from __future__ import annotations

import pytest

from graft.reporting.report import answer_questions


def answer(question: str, **sections) -> str:
    """The answer to the question that contains these words; empty if there is none."""
    found = [answer.text for answer in answer_questions(sections) if question in answer.question]
    assert len(found) <= 1
    return found[0] if found else ""


def compare(verdict: str, value: float = 0.02) -> dict:
    dev = {"verdict": verdict, "accuracy": {"value": value, "low": 0.0, "high": 0.04}}
    test = {"verdict": "better", "accuracy": {"value": 0.5, "low": 0.4, "high": 0.6}}
    return {"pairs": [{"first": "frozen", "second": "fine_tuned", "dev": dev, "test": test}]}


def calibrate(error: float, chance: float = 0.05) -> dict:
    test = {"before": {"ece": error, "chance": {"mean": 0.02, "high": chance}}}
    return {"temperature": 1.4, "test": test}


def grow(verdict: str) -> dict:
    forecast = {"times": 4, "pictures": 400, "error": 0.02, "low": 0.01, "high": 0.05}
    now = {"error": 0.04}
    sizes = {"verdict": verdict, "forecasts": [forecast], "now": now, "withheld": ""}
    return {"learning_curve": sizes}


LADDER = {
    "chosen": "frozen",
    "models": {
        "frozen": {
            "baseline": {"sentence": "The classifier is better."},
            "headline": "It is variance.",
        }
    },
}


def test_without_sections_nothing_is_answered():
    assert answer_questions({}) == []


@pytest.mark.parametrize(
    ("verdict", "begins"),
    [
        ("better", "Yes: +2.0 points of accuracy on dev (+0.0 to +4.0)"),
        ("worse", "No: +2.0 points"),
        ("no evidence of a difference", "There is no evidence of it: +2.0 points"),
    ],
)
def test_fine_tuning_is_judged_by_dev_and_never_by_test(verdict, begins):
    told = answer("fine-tuning", comparison=compare(verdict))
    assert told.startswith(begins)
    assert "test" not in told


def test_the_first_answer_is_whether_it_is_better_than_one_class_always():
    assert answer("no classifier", error_breakdown=LADDER) == "The classifier is better."


def test_without_fine_tuning_nobody_asks_about_it():
    assert answer("fine-tuning", comparison={"pairs": []}) == ""


def test_the_verdict_on_pictures_without_a_label_is_told_where_somebody_learnt_from_them():
    helped = {"sentence": "Pictures without a label helped."}
    assert answer("without a label", champion={"test_evaluations": {"now": 1}}) == ""
    facts = {"test_evaluations": {"now": 1}, "unlabelled": [helped]}
    assert answer("without a label", champion=facts) == helped["sentence"]


@pytest.mark.parametrize(
    ("recipe", "runners", "begins"),
    [("head", 4, "No: of 4 recipes none had more"), ("head", 1, ""), ("custom", 1, "")],
)
def test_a_head_that_won_the_race_says_that_fine_tuning_is_not_worth_it(recipe, runners, begins):
    chosen = {"recipe": recipe, "chosen_among": runners}
    told = answer("fine-tuning", comparison={"pairs": []}, recipes={"chosen": chosen})
    assert told.startswith(begins)
    assert bool(told) == bool(begins)


def test_a_warm_start_from_a_head_asks_nothing_about_fine_tuning():
    chosen = {"recipe": "head", "chosen_among": 1, "warm_start": {}}
    told = answer("fine-tuning", comparison={"pairs": []}, recipes={"chosen": chosen})
    assert told.startswith("Not asked in a warm start")


def test_probabilities_are_believed_if_chance_explains_their_error():
    assert "no sign" in answer("probabilities", calibration=calibrate(0.04))
    assert "temperature of 1.40" in answer("probabilities", calibration=calibrate(0.06))


def test_the_most_confused_pair_is_named():
    pair = {"first": "cat", "second": "dog", "count": 3}
    found = {"wrong": 4, "test_pictures": 1200, "pairs": [pair]}
    told = answer("wrong", explanation=found)
    assert told.startswith("4 of the 1,200 of test, most often cat and dog (3).")
    assert answer("wrong", explanation={**found, "wrong": 0}) == "None of the 1,200 of test."


def test_what_is_said_of_labels_is_said_of_each_part():
    assert answer("labels", label_issues={"parts": [{"sentence": ""}, {"sentence": ""}]}) == ""
    parts = [{"sentence": "About 2 of 9."}, {"sentence": "Train cannot be judged."}]
    told = answer("labels", label_issues={"parts": parts})
    assert told == "About 2 of 9. Train cannot be judged."


@pytest.mark.parametrize(("looks", "begins"), [(1, "Once"), (3, "3 times")])
def test_looks_at_test_are_counted(looks, begins):
    assert answer("How often", champion={"test_evaluations": {"now": looks}}).startswith(begins)


@pytest.mark.parametrize(
    ("verdict", "says"),
    [("helps", "would help;"), ("does_not_help", "would not help"), ("open", "is open")],
)
def test_the_remedy_is_the_largest_step_and_what_more_pictures_would_do(verdict, says):
    told = answer("help most", error_breakdown=LADDER, curves=grow(verdict))
    assert told.startswith("It is variance. ")
    assert says in told
    assert "an error of 2.0 % (1.0 to 5.0) instead of 4.0 % on dev" in told


def test_a_curve_that_is_withheld_is_no_advice():
    sizes = {"verdict": "withheld", "forecasts": [], "withheld": "the champion is fine-tuned"}
    told = answer("help most", curves={"learning_curve": sizes})
    assert told == ("Whether more pictures would help cannot be said: the champion is fine-tuned.")
