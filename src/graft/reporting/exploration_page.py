"""The page about what is in a folder of pictures: one self-contained HTML page."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import matplotlib as mpl
import pandas as pd

from graft.reporting.contact_sheets import embed_jpeg
from graft.reporting.report import render_page


def render_profile(table: pd.DataFrame, title: str) -> str:
    """A self-contained HTML page about every column, its values and its associations.

    Args:
        table: What to describe.
        title: Heading of the page.

    Returns:
        HTML, the same for the same table: skrub's random names and dates are replaced.
    """
    from skrub import TableReport

    with mpl.rc_context({"svg.hashsalt": "graft"}):
        page = TableReport(table, title=title, verbose=0).html()
    return settle_names(page)


def settle_names(page: str) -> str:
    """Number the random names of a skrub page in their order, and take the dates out.

    Examples:
        >>> settle_names('<p id="report_0a1b2c3d"><b id="deadbeef"><i for="deadbeef">')
        '<p id="report_00000000"><b id="00000001"><i for="00000001">'
    """
    page = re.sub(r"<dc:date>[^<]*</dc:date>", "", page)
    names = dict.fromkeys(re.findall(r'id="(?:report_)?([0-9a-f]{8})["-]', page))
    numbers = {name: f"{number:08x}" for number, name in enumerate(names)}
    known = re.compile(r"(?<![0-9a-zA-Z])(" + "|".join(numbers) + r")(?![0-9a-zA-Z])")
    return known.sub(lambda match: numbers[match[1]], page) if numbers else page


@dataclass(frozen=True)
class Finding:
    """Something that was found.

    Attributes:
        topic: One word.
        text: A sentence of at most 67 characters, so that a log line holds it.
        advice: What it means and what to do about it; empty if nothing is to be done.
        is_warning: Whether it could fool a classifier.
    """

    topic: str
    text: str
    advice: str = ""
    is_warning: bool = False


@dataclass(frozen=True)
class ExplorationContent:
    """All that the page shows.

    Attributes:
        findings: What was found, warnings first.
        class_summary: A row a class: ``label``, ``pictures``, ``share`` and medians.
        quarantined_count: Files that cannot be used.
        duplicates: Columns ``image_id``, ``label``, ``kind``, ``same_as``, ``distance``.
        label_conflicts: The same and ``other_label``.
        outliers: ``image_id``, ``label``, ``property``, ``value``, ``typical``, ``score``.
        outlier_threshold: Score beyond which a picture is an outlier.
        shortcuts: As of :func:`graft.analysis.shortcuts.measure_shortcuts`.
        folds: Of the cross-validation behind it.
        confidence: Of its intervals together.
        figures: Name to PNG bytes.
        sheets: Class and contact sheet, PNG bytes.
    """

    findings: list[Finding]
    class_summary: pd.DataFrame
    quarantined_count: int
    duplicates: pd.DataFrame
    label_conflicts: pd.DataFrame
    outliers: pd.DataFrame
    outlier_threshold: float
    shortcuts: pd.DataFrame
    folds: int
    confidence: float
    figures: Mapping[str, bytes]
    sheets: list[tuple[str, bytes]]


def render_exploration(content: ExplorationContent) -> str:
    """Write the page as HTML; names from the data are escaped."""
    return render_page(
        "exploration.html",
        content=content,
        warnings=[finding for finding in content.findings if finding.is_warning],
        others=[finding for finding in content.findings if not finding.is_warning],
        picture_count=int(content.class_summary["pictures"].sum()),
        kinds=content.duplicates["kind"].value_counts().sort_index(),
        sheets=[(label, embed_jpeg(png)) for label, png in content.sheets],
        strange=embed_jpeg(content.figures["outlier_pictures"]),
        conflicting=embed_jpeg(content.figures["conflict_pictures"]),
    )
