"""Nodes of the exploration stage: what is in the folder, and what could fool a classifier."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from graft.analysis.shortcuts import (
    ShortcutSettings,
    derive_properties,
    find_outliers,
    measure_shortcuts,
)
from graft.errors import PictureError
from graft.images.crops import parse_crop
from graft.images.decoding import decode_picture
from graft.pipelines.exploration.findings import describe_outlier, judge_all, log_findings
from graft.pipelines.exploration.parameters import ExplorationParameters
from graft.reporting.contact_sheets import Panel, draw_sheet
from graft.reporting.embedding import encode_figure
from graft.reporting.exploration import (
    ExplorationContent,
    draw_class_counts,
    draw_class_spread,
    draw_picture_sizes,
    draw_shortcuts,
    render_exploration,
    render_profile,
)
from graft.sources.source import ImageSource

UNLABELLED = "(no label)"


def select_usable(image_index: pd.DataFrame) -> pd.DataFrame:
    """Pictures that are not quarantined; those without a label are of class "(no label)"."""
    usable = image_index[image_index["status"] == "ok"].reset_index(drop=True)
    return usable.assign(label=usable["label"].fillna(UNLABELLED))


def draw_sample(table: pd.DataFrame, size: int, seed: int) -> pd.DataFrame:
    """At most ``size`` random rows, in their order."""
    if len(table) <= size:
        return table
    rows = np.random.default_rng(seed).choice(len(table), size, replace=False)
    return table.iloc[np.sort(rows)]


def order_by_hash(image_ids: pd.Series, seed: int) -> np.ndarray:
    """An arbitrary order that does not change for the others when pictures are added, int (n,)."""
    keys = pd.util.hash_array(image_ids.to_numpy(dtype=object), hash_key=f"{seed % 10**16:016d}")
    return np.argsort(keys, kind="stable")


def read_some(
    raw_images: ImageSource, pictures: pd.DataFrame, parameters: ExplorationParameters
) -> list[Panel]:
    """A few arbitrary pictures, with their names."""
    order = order_by_hash(pictures["image_id"], parameters.seed)
    chosen = pictures.iloc[order[: parameters.contact_sheet.pictures]]
    return [
        read_panel(raw_images, row, (row["image_id"],), parameters)
        for row in chosen.to_dict("records")
    ]


def read_outliers(
    raw_images: ImageSource,
    image_index: pd.DataFrame,
    outliers: pd.DataFrame,
    parameters: ExplorationParameters,
) -> list[Panel]:
    """Outliers, with name, class and the property that makes them one."""
    rows = _look_up(image_index, outliers["image_id"])
    return [
        read_panel(
            raw_images, rows[row["image_id"]],
            (row["image_id"], row["label"], describe_outlier(row)), parameters,
        )
        for row in outliers.to_dict("records")
    ]  # fmt: skip


def read_conflicts(
    raw_images: ImageSource,
    image_index: pd.DataFrame,
    label_conflicts: pd.DataFrame,
    parameters: ExplorationParameters,
) -> list[Panel]:
    """Like pictures of different classes, each beside the other; a pair is shown once."""
    pairs = label_conflicts[["image_id", "same_as"]]
    keys = pd.DataFrame(np.sort(pairs.to_numpy(dtype=object), axis=1))
    shown = pairs[~keys.duplicated().to_numpy()].head(parameters.outliers.pictures // 2)
    image_ids = shown.to_numpy(dtype=object).ravel()
    rows = _look_up(image_index, image_ids)
    return [
        read_panel(raw_images, rows[name], (name, str(rows[name]["label"])), parameters)
        for name in image_ids
    ]


def _look_up(image_index: pd.DataFrame, image_ids: Iterable[str]) -> dict[str, dict[str, Any]]:
    wanted = image_index[image_index["image_id"].isin(list(image_ids))]
    return {row["image_id"]: row for row in wanted.to_dict("records")}


def read_panel(
    raw_images: ImageSource,
    row: Mapping[str, Any],
    caption: tuple[str, ...],
    parameters: ExplorationParameters,
) -> Panel:
    """A picture for a contact sheet; if it cannot be read any more, the reason in its place.

    Args:
        raw_images: Where it lies.
        row: Of the index: ``image_id`` and ``crop``.
        caption: Lines below it.
        parameters: Its side, and how large a file may be.
    """
    side, crop = parameters.contact_sheet.side, parse_crop(row["crop"])
    try:
        data = raw_images.read(row["image_id"])
        pixels = decode_picture(data, side, parameters.max_pixels, crop)
    except PictureError as error:
        return Panel(caption, None, str(error))
    except KeyError:
        return Panel(caption, None, "no longer in the source")
    except MemoryError:
        return Panel(caption, None, "too large for the memory that is left")
    return Panel(caption, pixels)


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
        ``shortcuts``, as of :func:`graft.analysis.shortcuts.measure_shortcuts`.
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
        ``contact_sheets``: file name to SVG, in the order of ``class_summary``.
    """
    sheets = {}
    classes = class_summary.head(parameters.contact_sheet.classes)["label"]
    usable = select_usable(image_index)
    members = usable[usable["label"].isin(classes)].groupby("label")
    for number, label in enumerate(classes):
        pictures = members.get_group(label)
        panels = read_some(raw_images, pictures, parameters)
        name = f"{number:04d}_{re.sub(r'[^A-Za-z0-9-]+', '_', label)[:40]}.svg"
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
        ``exploration_report``: HTML. The figures come in as the bytes of SVGs.
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
