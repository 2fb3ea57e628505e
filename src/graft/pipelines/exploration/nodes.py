"""Nodes of the exploration stage: what is in the folder, and what could fool a classifier."""

from __future__ import annotations

import re

import pandas as pd
from matplotlib.figure import Figure

from graft.figures.class_spread import draw_class_spread
from graft.figures.contact_sheets import draw_sheet, encode_figure
from graft.figures.exploration import draw_class_counts, draw_picture_sizes, draw_shortcuts
from graft.figures.exploration_page import ExplorationContent, render_exploration
from graft.figures.profile import render_profile
from graft.images.sources import ImageSource
from graft.pipelines.exploration.findings import judge_all, log_findings
from graft.pipelines.exploration.parameters import ExplorationParameters
from graft.pipelines.exploration.pictures import (
    draw_sample,
    read_conflicts,
    read_outliers,
    read_some,
    select_usable,
)
from graft.scores.outliers import find_outliers
from graft.scores.properties import derive_properties
from graft.scores.shortcuts import ShortcutSettings, measure_shortcuts

_TYPICAL = ["width", "height", "bytes", "brightness", "contrast"]


def summarise_classes(image_index: pd.DataFrame) -> pd.DataFrame:
    """Count the usable pictures of every class and give their medians.

    Returns:
        ``class_summary``, a row a class, the largest first: ``label`` ("(no label)" where it is
        missing), ``pictures``, ``share``, and the medians ``width``, ``height`` (pixels),
        ``bytes``, ``brightness`` and ``contrast`` (0 to 255).
    """
    usable = select_usable(image_index)
    grouped = usable.astype(dict.fromkeys(_TYPICAL, "float64")).groupby("label")
    summary = grouped[_TYPICAL].median()
    summary.insert(0, "pictures", grouped.size())
    summary.insert(1, "share", summary["pictures"] / len(usable))
    return summary.sort_values("pictures", ascending=False, kind="stable").reset_index()


def draw_index(
    image_index: pd.DataFrame, class_summary: pd.DataFrame, parameters: ExplorationParameters
) -> tuple[Figure, Figure, Figure]:
    """Draw class sizes, picture sizes, and what light and colour the classes have."""
    sample = draw_sample(select_usable(image_index), parameters.sample, parameters.seed)
    properties = derive_properties(sample)
    return (
        draw_class_counts(class_summary),
        draw_picture_sizes(properties),
        draw_class_spread(properties, sample["label"]),
    )


def rank_outliers(image_index: pd.DataFrame, parameters: ExplorationParameters) -> pd.DataFrame:
    """Find the pictures that are unlike the rest in size, light or colour.

    Returns:
        ``outliers``, the farthest first: ``image_id``, ``label``, ``property``, ``value``,
        ``typical`` (median of all pictures) and ``score`` (modified z-score).
    """
    usable = select_usable(image_index)
    found = find_outliers(derive_properties(usable), parameters.outliers.threshold)
    return usable.loc[found.index, ["image_id", "label"]].join(found).reset_index(drop=True)


def find_shortcuts(image_index: pd.DataFrame, parameters: ExplorationParameters) -> pd.DataFrame:
    """Test whether trivial properties of the files name the class.

    Returns:
        ``shortcuts``, as of :func:`graft.scores.shortcuts.measure_shortcuts`.
    """
    labelled = image_index[(image_index["status"] == "ok") & image_index["label"].notna()]
    sample = draw_sample(labelled, parameters.sample, parameters.seed)
    options = parameters.shortcuts
    return measure_shortcuts(
        derive_properties(sample),
        sample["label"],
        sample["cluster"],
        ShortcutSettings(options.folds, options.confidence, options.matters, parameters.seed),
    )


def draw_shortcut_scores(shortcuts: pd.DataFrame, parameters: ExplorationParameters) -> Figure:
    """Draw how well every trivial property names the class, against chance."""
    return draw_shortcuts(shortcuts, parameters.shortcuts.matters)


def draw_suspects(
    raw_images: ImageSource,
    image_index: pd.DataFrame,
    outliers: pd.DataFrame,
    label_conflicts: pd.DataFrame,
    parameters: ExplorationParameters,
) -> tuple[Figure, Figure]:
    """Draw the farthest outliers, and pairs of like pictures of different classes."""
    limit = parameters.outliers.pictures
    strange = read_outliers(raw_images, image_index, outliers.head(limit), parameters)
    pairs = read_conflicts(raw_images, image_index, label_conflicts, parameters)
    return (
        draw_sheet(strange, "Pictures unlike the rest, the farthest first"),
        draw_sheet(pairs, "Like pictures of different classes, in pairs"),
    )


def draw_contact_sheets(
    raw_images: ImageSource,
    image_index: pd.DataFrame,
    class_summary: pd.DataFrame,
    parameters: ExplorationParameters,
) -> dict[str, bytes]:
    """Draw some pictures of each of the largest classes.

    Returns:
        ``contact_sheets``: file name to PNG, in the order of ``class_summary``.
    """
    sheets = {}
    classes = class_summary.head(parameters.contact_sheet.classes)["label"]
    usable = select_usable(image_index)
    members = usable[usable["label"].isin(classes)].groupby("label")
    for number, label in enumerate(classes):
        pictures = members.get_group(label)
        panels = read_some(raw_images, pictures, parameters)
        name = f"{number:04d}_{re.sub(r'[^A-Za-z0-9-]+', '_', label)[:40]}.png"
        title = f"{label}: {len(panels):,} of {len(pictures):,} pictures"
        sheets[name] = encode_figure(draw_sheet(panels, title))
    return sheets


def profile_index(image_index: pd.DataFrame, parameters: ExplorationParameters) -> str:
    """Write an interactive profile of the index, or of a sample of it: one HTML page.

    Hashes are left out: they are noise by design.
    """
    sample = draw_sample(image_index, parameters.sample, parameters.seed)
    hashes = [name for name in sample.columns if name.endswith(("sha256", "hash"))]
    table = sample.drop(columns=hashes).reset_index(drop=True)
    return render_profile(table, "Index of the pictures")


def write_exploration_report(
    image_index: pd.DataFrame,
    class_summary: pd.DataFrame,
    duplicates: pd.DataFrame,
    label_conflicts: pd.DataFrame,
    outliers: pd.DataFrame,
    shortcuts: pd.DataFrame,
    contact_sheets: dict[str, bytes],
    class_counts: bytes,
    picture_sizes: bytes,
    class_spread: bytes,
    shortcut_scores: bytes,
    outlier_pictures: bytes,
    conflict_pictures: bytes,
    parameters: ExplorationParameters,
) -> str:
    """Write one HTML page of all that was found, and tell the main findings.

    Returns:
        ``exploration_report``: HTML. The figures come in as PNG bytes.
    """
    findings = judge_all(
        class_summary, duplicates, label_conflicts, outliers, shortcuts, parameters
    )
    log_findings(findings)
    figures = {
        "class_counts": class_counts,
        "picture_sizes": picture_sizes,
        "class_spread": class_spread,
        "shortcut_scores": shortcut_scores,
        "outlier_pictures": outlier_pictures,
        "conflict_pictures": conflict_pictures,
    }
    content = ExplorationContent(
        findings=findings,
        class_summary=class_summary,
        quarantined_count=int((image_index["status"] != "ok").sum()),
        duplicates=duplicates,
        label_conflicts=label_conflicts,
        outliers=outliers,
        outlier_threshold=parameters.outliers.threshold,
        shortcuts=shortcuts,
        folds=parameters.shortcuts.folds,
        confidence=parameters.shortcuts.confidence,
        figures=figures,
        sheets=list(zip(class_summary["label"], contact_sheets.values(), strict=False)),
    )
    return render_exploration(content)
