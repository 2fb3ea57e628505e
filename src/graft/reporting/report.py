"""The report: one self-contained HTML page that begins with answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined

from graft.reporting.embedding import embed_figure

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
        sections: Name to what the stages found: ``comparison``, ``error_breakdown``,
            ``calibration``, ``curves``, ``explanation``, ``label_issues``, ``champion``; any may be
            missing.
    """
    found = [(question, function(sections), anchor) for question, anchor, function in _QUESTIONS]
    return [Answer(question, text, anchor) for question, text, anchor in found if text]


@answers("Is it better than no classifier at all?", "error_breakdown")
def compare_with_baseline(sections: Sections) -> str:
    """Against always naming the commonest class."""
    if (error_breakdown := sections.get("error_breakdown")) is None:
        return ""
    return str(error_breakdown["models"][error_breakdown["chosen"]]["baseline"]["sentence"])


@answers("Is fine-tuning worth it?", "comparison")
def judge_fine_tuning(sections: Sections) -> str:
    """What the paired comparison of the frozen with the fine-tuned classifier on dev says.

    Not on test: whoever follows an answer from test has chosen by test.
    """
    pairs = sections.get("comparison", {}).get("pairs", [])
    pair = next((p for p in pairs if (p["first"], p["second"]) == ("frozen", "fine_tuned")), None)
    chosen = sections.get("recipes", {}).get("chosen", {})
    if chosen.get("recipe") == "head" and chosen["chosen_among"] > 1:
        where = "in folds of train and dev" if chosen.get("chosen_on") == "folds" else "of dev"
        return (
            f"No: of {chosen['chosen_among']} recipes none had more pictures {where} right than "
            "the head alone by more than a standard error."
        )
    if chosen.get("recipe") == "head" and "warm_start" in chosen:
        return "Not asked in a warm start: the champion is a head, and the head was trained on."
    if pair is None:
        return ""
    found = pair["dev"]
    value, low, high = (100 * found["accuracy"][name] for name in ("value", "low", "high"))
    difference = f"{value:+.1f} points of accuracy on dev ({low:+.1f} to {high:+.1f})"
    says = {
        "better": f"Yes: {difference}.",
        "worse": f"No: {difference}. Leave it out with --params fine_tuning.recipe=head.",
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


@answers("Are the labels right?", "label_issues")
def judge_labels(sections: Sections) -> str:
    """How many labels look wrong, as far as that can be judged."""
    parts = sections.get("label_issues", {}).get("parts", [])
    return " ".join(part["sentence"] for part in parts if part["sentence"])


@answers("Did pictures without a label help?", "unlabelled")
def judge_unlabelled(sections: Sections) -> str:
    """What the students that saw them did beside their teachers, on dev or folds."""
    verdicts = sections.get("champion", {}).get("unlabelled", [])
    return " ".join(verdict["sentence"] for verdict in verdicts)


@answers("How often was test looked at?", "champion")
def count_evaluations(sections: Sections) -> str:
    """A test split that chooses is no test."""
    if (found := sections.get("champion")) is None:
        return ""
    looks = found["test_evaluations"]["now"]
    if looks == 1:
        return "Once, with this model."
    return f"{looks:,} times, with as many models: whoever keeps the best of them is flattered."


@answers("What would help most?", "error_breakdown")
def find_remedy(sections: Sections) -> str:
    """The largest step of the error breakdown, more pictures, better labels."""
    told = []
    if (error_breakdown := sections.get("error_breakdown")) is not None:
        told.append(str(error_breakdown["models"][error_breakdown["chosen"]]["headline"]))
    if (curves := sections.get("curves")) is not None:
        told.append(_judge_more_pictures(curves["learning_curve"]))
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


METRIC_TITLES = {
    "accuracy": "Accuracy",
    "balanced_accuracy": "Balanced accuracy",
    "macro_f1": "Macro F1",
    "roc_auc": "ROC AUC",
    "log_loss": "Log loss (lower is better)",
}


@dataclass(frozen=True)
class ReportContent:
    """All that the report shows.

    Attributes:
        metrics: Split to ``n`` and figures with ``value``, ``low``, ``high``.
        class_metrics: A row a class: ``class``, ``precision``, ``recall``, ``f1``, ``support``.
        splits: Columns ``label`` and ``split``.
        split_check: What the gate found: ``pairs``, ``set_aside``, ``moved``.
        split_summary: Columns ``label``, ``split``, ``deviation`` (percentage points).
        random_split: How a random split compares: ``clusters``, ``together``, ``measured``.
        wrong_count: Number of wrong pictures of test.
        quarantined: Columns ``image_id`` and ``reason``.
        file_count: Files found in the source.
        backbone: The backbone and its weights, in words.
        image_size: Side of the pictures that the network sees, in pixels.
        confidence: Coverage of the intervals.
        check: Outcome of the comparison with the saved classifier.
        figures: Name to the bytes of an SVG or PNG.
        model: The model that the details are about.
        models: Every model to its metrics; splits and figures as in ``metrics``.
        titles: Every model to what it is, in a line.
        sections: What the partial templates of the same names show.
    """

    metrics: Mapping[str, Mapping[str, Any]]
    class_metrics: pd.DataFrame
    splits: pd.DataFrame
    split_check: Mapping[str, Any]
    split_summary: pd.DataFrame
    random_split: Mapping[str, Any]
    wrong_count: int
    quarantined: pd.DataFrame
    file_count: int
    backbone: str
    image_size: int
    confidence: float
    check: Mapping[str, float]
    figures: Mapping[str, bytes]
    model: str = "frozen"
    models: Mapping[str, Mapping[str, Mapping[str, Any]]] = field(default_factory=dict)
    titles: Mapping[str, str] = field(default_factory=dict)
    sections: Mapping[str, Any] = field(default_factory=dict)


def render_report(content: ReportContent) -> str:
    """Write the report as HTML; names from the data are escaped."""
    return render_page(
        "report.html",
        content=content,
        metric_titles=METRIC_TITLES,
        model_titles=content.titles,
        answers=answer_questions(content.sections),
        sizes=content.splits["split"].value_counts(),
        class_count=content.splits["label"].nunique(),
        measured_splits=[name for name in ("test", "dev", "train_dev") if name in content.metrics],
        uneven=content.split_summary.loc[content.split_summary["deviation"].abs().idxmax()],
    )


def render_page(template: str, **values: Any) -> str:
    """Fill a template of this package, which may filter by figure and percent."""
    return _open_templates().get_template(template).render(**values)


@cache
def _open_templates() -> Environment:
    """The templates, each of which is compiled once a process."""
    templates = Environment(
        loader=PackageLoader("graft.reporting"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.filters["figure"] = embed_figure
    templates.filters["percent"] = lambda share: f"{100 * share:.1f} %"
    return templates
