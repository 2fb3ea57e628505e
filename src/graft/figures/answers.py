"""The questions that the report answers first, each in a sentence or two with a link."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

Sections = Mapping[str, Any]


@dataclass(frozen=True)
class Answer:
    """A question of the reader's and what the figures say to it.

    Attributes:
        question: The question.
        text: The answer, plain text.
        anchor: The section that says more.
    """

    question: str
    text: str
    anchor: str


# (question, anchor, answer from the sections; empty where they say nothing)
_QUESTIONS: list[tuple[str, str, Callable[[Sections], str]]] = []


def answers(
    question: str, anchor: str
) -> Callable[[Callable[[Sections], str]], Callable[[Sections], str]]:
    """Add a function that answers a question of the report, in the order of this module."""

    def register(function: Callable[[Sections], str]) -> Callable[[Sections], str]:
        _QUESTIONS.append((question, anchor, function))
        return function

    return register


def answer_questions(sections: Sections) -> list[Answer]:
    """Answer what can be answered from these sections of the report.

    Args:
        sections: Name to what the stages found: ``comparison``, ``ladder``, ``calibration``,
            ``curves``, ``explanation``, ``label_doubts``, ``champion``; any may be missing.
    """
    found = [(question, function(sections), anchor) for question, anchor, function in _QUESTIONS]
    return [Answer(question, text, anchor) for question, text, anchor in found if text]


@answers("Is it better than no classifier at all?", "ladder")
def compare_with_baseline(sections: Sections) -> str:
    """Against always naming the commonest class."""
    if (ladder := sections.get("ladder")) is None:
        return ""
    return str(ladder["models"][ladder["chosen"]]["baseline"]["sentence"])


@answers("Is fine-tuning worth it?", "comparison")
def judge_fine_tuning(sections: Sections) -> str:
    """What the paired comparison of the frozen with the fine-tuned classifier on dev says.

    Not on test: whoever follows an answer from test has chosen by test.
    """
    pairs = sections.get("comparison", {}).get("pairs", [])
    pair = next((p for p in pairs if (p["first"], p["second"]) == ("frozen", "fine_tuned")), None)
    if pair is None:
        return ""
    found = pair["dev"]
    value, low, high = (100 * found["accuracy"][name] for name in ("value", "low", "high"))
    difference = f"{value:+.1f} points of accuracy on dev ({low:+.1f} to {high:+.1f})"
    says = {
        "better": f"Yes: {difference}.",
        "worse": f"No: {difference}. Leave it out with --params fine_tuning.unfreeze=none.",
    }
    return says.get(
        found["verdict"], f"There is no evidence of it: {difference}, which may be chance."
    )


@answers("May its probabilities be believed?", "calibration")
def judge_calibration(sections: Sections) -> str:
    """Whether the calibration error is more than chance, and what the temperature does."""
    if (found := sections.get("calibration")) is None:
        return ""
    now = found["test"]["before"]
    error, chance = f"{now['ece']:.3f}", f"{now['chance']['high']:.3f}"
    if now["ece"] <= now["chance"]["high"]:
        return f"There is no sign that they mislead (error {error}, by chance up to {chance})."
    return (
        f"Not as they are: the calibration error is {error}, by chance at most {chance}. The "
        f"champion divides by a temperature of {found['temperature']:.2f}."
    )


@answers("Which pictures are wrong?", "wrong")
def name_mistakes(sections: Sections) -> str:
    """How many, and which classes are confused most."""
    if (found := sections.get("explanation")) is None:
        return ""
    if not found["wrong"]:
        return f"None of the {found['test_pictures']:,} of test."
    told = f"{found['wrong']:,} of the {found['test_pictures']:,} of test"
    if found["pairs"]:
        pair = found["pairs"][0]
        told += f", most often {pair['first']} and {pair['second']} ({pair['count']:,})"
    return f"{told}. Each is shown with what spoke for the mistake."


@answers("Are the labels right?", "label_doubts")
def judge_labels(sections: Sections) -> str:
    """How many labels look wrong, as far as that can be judged."""
    parts = sections.get("label_doubts", {}).get("parts", [])
    return " ".join(part["sentence"] for part in parts if part["sentence"])


@answers("How often was test looked at?", "champion")
def count_looks(sections: Sections) -> str:
    """A test split that chooses is no test."""
    if (found := sections.get("champion")) is None:
        return ""
    looks = found["test_looks"]["now"]
    if looks == 1:
        return "Once, with this model."
    return f"{looks:,} times, with as many models: whoever keeps the best of them is flattered."


@answers("What would help most?", "ladder")
def find_remedy(sections: Sections) -> str:
    """The largest step of the ladder, more pictures, better labels."""
    told = []
    if (ladder := sections.get("ladder")) is not None:
        told.append(str(ladder["models"][ladder["chosen"]]["headline"]))
    if (curves := sections.get("curves")) is not None:
        told.append(_judge_more_pictures(curves["learning_sizes"]))
    return " ".join(told)


def _judge_more_pictures(sizes: Mapping[str, Any]) -> str:
    if sizes["withheld"]:
        return f"Whether more pictures would help cannot be said: {sizes['withheld']}."
    if not sizes["forecasts"]:
        return ""
    goal = sizes["forecasts"][-1]
    forecast = (
        f"{goal['times']} times the pictures: an error of {100 * goal['error']:.1f} % "
        f"({100 * goal['low']:.1f} to {100 * goal['high']:.1f}) instead of "
        f"{100 * sizes['now']['error']:.1f} % on dev"
    )
    says = {
        "helps": f"More pictures would help; {forecast}.",
        "does_not_help": f"More pictures would not help noticeably; {forecast}.",
    }
    return says.get(sizes["verdict"], f"Whether more pictures would help is open; {forecast}.")
