"""What was found, in sentences: short for the log, with advice for the page."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pandas as pd

from graft.analysis.shortcuts import TOGETHER
from graft.pipelines.exploration.parameters import ExplorationParameters
from graft.progress import tell
from graft.reporting.exploration import Finding
from graft.reporting.style import shorten

_ADVICE = (
    "A network may learn that instead of what the pictures show, and fail where it no longer "
    "holds. Bring the classes into line (same source, same size, same compression), or test on "
    "pictures from elsewhere."
)


def log_findings(findings: list[Finding]) -> None:
    """A line a topic: the first finding of each, and how many more there are."""
    topics = Counter(finding.topic for finding in findings)
    for topic, count in topics.items():
        text = next(finding.text for finding in findings if finding.topic == topic)
        tell(topic, text)
        if count > 1:
            tell("", "and %d more on the page", count - 1)


def judge_all(
    class_summary: pd.DataFrame,
    duplicates: pd.DataFrame,
    label_conflicts: pd.DataFrame,
    outliers: pd.DataFrame,
    shortcuts: pd.DataFrame,
    parameters: ExplorationParameters,
) -> list[Finding]:
    """All that was found, what could fool a classifier first."""
    findings = [
        *judge_shortcuts(shortcuts),
        *judge_classes(class_summary, parameters),
        *judge_copies(duplicates, label_conflicts),
        *judge_outliers(outliers, int(class_summary["pictures"].sum())),
    ]
    return sorted(findings, key=lambda finding: not finding.is_warning)


def judge_classes(class_summary: pd.DataFrame, parameters: ExplorationParameters) -> list[Finding]:
    """Are there classes to tell apart, and are they of like size?"""
    counts = class_summary["pictures"]
    if len(counts) < 2:
        advice = "A classifier needs at least two; give every class a folder or a label."
        return [Finding("Classes", "fewer than two classes: nothing to tell apart", advice, True)]
    most, fewest = class_summary.iloc[0], class_summary.iloc[-1]
    low, high = f"{fewest['pictures']:,}", f"{most['pictures']:,}"
    spread = f"{high} pictures each" if low == high else f"{low} to {high} pictures"
    found = [Finding("Classes", f"{len(counts):,} of {spread}")]
    if most["pictures"] >= parameters.imbalance * fewest["pictures"]:
        names = shorten(str(most["label"]), 14), shorten(str(fewest["label"]), 14)
        times = most["pictures"] / fewest["pictures"]
        text = f"'{names[0]}' has {times:,.0f} times the pictures of '{names[1]}'"
        advice = (
            "A classifier that neglects small classes can still have a high accuracy: read the "
            "balanced accuracy, weigh the classes, or collect more of the small ones."
        )
        found.append(Finding("Imbalance", text, advice, True))
    if single := int((counts == 1).sum()):
        text = f"{single:,} {'class has' if single == 1 else 'classes have'} a single picture"
        advice = "A single picture cannot be both learned from and tested on."
        found.append(Finding("Classes", text, advice, True))
    return found


def judge_copies(duplicates: pd.DataFrame, label_conflicts: pd.DataFrame) -> list[Finding]:
    """Are there copies, and do copies contradict each other?"""
    if duplicates.empty:
        found = [Finding("Copies", "no picture is a copy of another or looks like one")]
    else:
        copies, clusters = duplicates["image_id"].nunique(), duplicates["cluster"].nunique()
        text = f"copies or look-alikes of another picture: {copies:,} (clusters: {clusters:,})"
        advice = "Splitting keeps a cluster together, so that copies do not flatter the score."
        found = [Finding("Copies", text, advice)]
    if count := label_conflicts["image_id"].nunique():
        text = f"pictures with a copy or look-alike of another class: {count:,}"
        advice = "Look at them: a wrong label teaches mistakes and is counted as one."
        found.append(Finding("Conflicts", text, advice, True))
    return found


def judge_outliers(outliers: pd.DataFrame, count: int) -> list[Finding]:
    """Are there pictures unlike the rest?"""
    if outliers.empty:
        return [Finding("Outliers", "no picture is unlike the rest in size, light or colour")]
    text = f"unlike the rest in size, light or colour: {len(outliers):,} of {count:,}"
    return [Finding("Outliers", text, "Look at the farthest: they are often not what they claim.")]


def judge_shortcuts(shortcuts: pd.DataFrame) -> list[Finding]:
    """Do trivial properties name the class? The strongest first."""
    if shortcuts.empty:
        text = "not tested: fewer than two classes have enough pictures"
        return [Finding("Shortcuts", text)]
    found = [
        Finding("Shortcut", describe_shortcut(row), _ADVICE, True)
        for row in shortcuts[shortcuts["warning"]]
        .sort_values("balanced_accuracy", ascending=False, kind="stable")
        .to_dict("records")
    ]
    return found or [Finding("Shortcuts", "no trivial property names the class well above chance")]


def describe_shortcut(row: dict[str, Any]) -> str:
    """One property that names the class, in a sentence.

    Examples:
        >>> describe_shortcut({"property": "file size", "balanced_accuracy": 0.83, "chance": 0.5})
        'file size alone names the class 83 % of the time (chance 50 %)'
    """
    together = row["property"] == TOGETHER.name
    words = "all properties name" if together else f"{row['property']} alone names"
    value, chance = (_percent(row[key]) for key in ("balanced_accuracy", "chance"))
    return f"{words} the class {value} % of the time (chance {chance} %)"


def _percent(share: float) -> str:
    """Two digits, one below 1 %."""
    percent = 100 * share
    return f"{percent:.0f}" if percent >= 10 else f"{percent:.{2 if percent >= 1 else 1}g}"


def describe_outlier(row: dict[str, Any]) -> str:
    """The property that makes a picture an outlier, in two words.

    Examples:
        >>> describe_outlier({"property": "aspect ratio", "value": 4.1999})
        'aspect ratio 4.2'
    """
    return f"{row['property']} {row['value']:.4g}"
