"""The page about what is in a folder of pictures: one self-contained HTML page and its figures."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from graft.reporting.report import render_page
from graft.reporting.style import BLUE, GREY, ORANGE, clean_axes, make_figure, write_name


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
        figures: Name to the bytes of an SVG or PNG.
        sheets: Class and contact sheet, as the figures.
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
    )


_MOST_CLASSES_WITH_SPREAD = 50
_PANELS = {
    "bytes": "file size (kB, log scale)",
    "brightness": "mean brightness (0 to 255)",
    "contrast": "contrast (standard deviation, 0 to 127)",
}
_QUANTILES = [0.05, 0.25, 0.5, 0.75, 0.95]


def draw_class_spread(properties: pd.DataFrame, labels: pd.Series) -> Figure:
    """Draw the spread of file size, brightness, contrast and colour, a row a class.

    A row has the median (dot), the middle half (thick) and the middle nine tenths (thin line)
    of its class. With many classes each panel orders them by their median.

    Args:
        properties: Columns ``bytes``, ``brightness``, ``contrast`` and mean ``red``, ``green``,
            ``blue`` (0 to 255), float.
        labels: Class of every row.
    """
    order = list(labels.value_counts(sort=False).sort_index().index)
    named = len(order) <= _MOST_CLASSES_WITH_SPREAD
    figure, panels = make_figure(11, 1.6 + 0.26 * len(order) if named else 5.5, columns=4)
    figure.suptitle("Spread in every class: median, middle half, middle nine tenths")
    grouped = properties.assign(label=labels.to_numpy()).groupby("label")
    for axes, (name, title) in zip(panels[:3], _PANELS.items(), strict=True):
        values = {share: grouped[name].quantile(share) for share in _QUANTILES}
        spread = pd.DataFrame(values).reindex(order)
        _draw_spread(axes, spread if named else spread.sort_values(0.5), named)
        axes.set_xlabel(title, fontsize=9)
        axes.set_title(name.replace("bytes", "file size"))
        if name == "bytes":
            _scale_in_kilobytes(axes)
    _draw_colours(panels[3], grouped[["red", "green", "blue"]].mean().reindex(order))
    for axes in panels:
        axes.set_ylim(len(order) - 0.4, -0.6)
        axes.set_yticks([])
        axes.set_ylabel("")
    if named:
        panels[0].set_yticks(range(len(order)), [write_name(name, 20) for name in order])
    panels[0].set_ylabel("class" if named else "classes, each panel ordered by its medians")
    return figure


def _draw_spread(axes: Axes, spread: pd.DataFrame, named: bool) -> None:
    rows = np.arange(len(spread))
    low, lower, middle, upper, high = (spread[quantile] for quantile in _QUANTILES)
    axes.hlines(rows, low, high, color=BLUE, linewidth=1, alpha=1 if named else 0.25)
    axes.hlines(rows, lower, upper, color=BLUE, linewidth=5 if named else 1, alpha=0.6)
    axes.plot(middle, rows, linestyle="", marker="o", markersize=5 if named else 1.5, color="black")
    clean_axes(axes)
    axes.grid(visible=False, axis="y")
    axes.grid(axis="x", color="#e5e7eb")


def _scale_in_kilobytes(axes: Axes) -> None:
    axes.set_xscale("log")
    ticks = FuncFormatter(lambda value, _: f"{value / 1000:,g}")
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5), numticks=8))
    axes.xaxis.set_major_formatter(ticks)
    axes.xaxis.set_minor_formatter(NullFormatter())


def _draw_colours(axes: Axes, colours: pd.DataFrame) -> None:
    """A band in the mean colour of every class."""
    bands = np.nan_to_num(colours.to_numpy(), nan=255.0).clip(0, 255).astype(np.uint8)
    axes.imshow(bands[:, None, :], aspect="auto", extent=(0, 1, len(bands) - 0.5, -0.5))
    axes.set_xticks([])
    axes.set_xlabel("mean red, green and blue", fontsize=9)
    axes.set_title("colour")
    axes.spines[:].set_visible(False)


# Names on an axis are readable up to so many classes.
_MOST_CLASSES_WITH_NAMES = 50
_RATIOS = {1 / 2: "1:2", 2 / 3: "2:3", 1: "1:1", 3 / 2: "3:2", 2: "2:1"}
_WIDE_RATIOS = {2.0**n: f"{2 ** max(n, 0)}:{2 ** max(-n, 0)}" for n in range(-8, 10, 2)}


def draw_class_counts(class_summary: pd.DataFrame) -> Figure:
    """Draw the number of pictures of every class, the largest first.

    Args:
        class_summary: Columns ``label`` and ``pictures``, the largest class first.
    """
    counts = class_summary["pictures"].to_numpy()
    if len(counts) > _MOST_CLASSES_WITH_NAMES:
        return _draw_class_ranks(class_summary)
    figure, (axes,) = make_figure(7.5, 1.4 + 0.26 * len(counts))
    bars = axes.barh(np.arange(len(counts)), counts, color=BLUE)
    axes.bar_label(bars, [f"{count:,}" for count in counts], padding=3, fontsize=8)
    axes.set_yticks(np.arange(len(counts)), _name(class_summary["label"]))
    axes.set_ylim(len(counts) - 0.4, -0.6)
    axes.margins(x=0.1)
    axes.set_xlabel("pictures")
    axes.set_ylabel("class")
    axes.set_title("Pictures of every class")
    _clean_flat(axes)
    return figure


def _draw_class_ranks(class_summary: pd.DataFrame) -> Figure:
    counts = class_summary["pictures"].to_numpy()
    names = _name(class_summary["label"])
    figure, (axes,) = make_figure(7.5, 4)
    axes.fill_between(np.arange(1, len(counts) + 1), counts, step="mid", color=BLUE, alpha=0.85)
    axes.axhline(np.median(counts), color=ORANGE, label=f"median {np.median(counts):,.0f}")
    axes.set_yscale("log")
    axes.set_ylim(0.8, counts.max() * 1.6)
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    axes.set_xlabel(f"rank of the class, 1 is {names[0]}, {len(names):,} is {names[-1]}")
    axes.set_ylabel("pictures (log scale)")
    axes.set_title(f"Pictures of {len(counts):,} classes, the largest first")
    axes.legend(frameon=False)
    clean_axes(axes)
    return figure


def draw_picture_sizes(properties: pd.DataFrame) -> Figure:
    """Draw widths against heights, and aspect ratios.

    Args:
        properties: Columns ``width`` and ``height`` (pixels) and ``aspect_ratio``, float.
    """
    known = properties[["width", "height", "aspect_ratio"]].dropna()
    figure, (sizes, ratios) = make_figure(10, 4.2, columns=2)
    sizes.set(xscale="log", yscale="log")
    counts = known.groupby(["width", "height"]).size().reset_index(name="pictures")
    area = 6 + 250 * counts["pictures"] / max(counts["pictures"].max(), 60)
    sizes.scatter(counts["width"], counts["height"], s=area, color=BLUE, alpha=0.45, linewidths=0)
    for axis, name in ((sizes.xaxis, "width"), (sizes.yaxis, "height")):
        _scale_in_octaves(axis, known[name].to_numpy())
        axis.set_label_text(f"{name} (pixels, log scale)")
    sizes.set_title(f"Sizes ({len(counts):,} different; a larger dot is more pictures)")
    clean_axes(sizes)
    octaves = np.log2(known["aspect_ratio"].to_numpy())
    reach = max(float(np.abs(octaves).max(initial=0)), 1.1)
    ratios.hist(octaves, bins=list(np.linspace(-reach, reach, 60)), color=BLUE)
    ticks = _RATIOS if reach < 2.5 else _WIDE_RATIOS
    shown = {np.log2(ratio): text for ratio, text in ticks.items() if abs(np.log2(ratio)) <= reach}
    ratios.set_xticks(list(shown), list(shown.values()))
    ratios.set_xlabel("width : height (log scale)")
    ratios.set_ylabel("pictures")
    ratios.set_title("Aspect ratios")
    clean_axes(ratios)
    return figure


def _scale_in_octaves(axis: Axis, values: np.ndarray) -> None:
    """A log axis with ticks at powers of two, wide enough for even a single size."""
    low = np.floor(np.log2(values.min() if values.size else 8))
    high = max(np.ceil(np.log2(values.max() if values.size else 16)), low + 1)
    ticks = 2 ** np.arange(low, high + 1, max(1, (high - low) // 6))
    axis.set_ticks(ticks, [f"{tick:,.0f}" for tick in ticks])
    axis.set_minor_formatter(NullFormatter())
    axis.set_view_interval(2**low / 1.1, 2**high * 1.1, ignore=True)


def draw_shortcuts(shortcuts: pd.DataFrame, matters: float) -> Figure:
    """Draw how well every trivial property names the class, against chance.

    Args:
        shortcuts: As of :func:`graft.analysis.shortcuts.measure_shortcuts`.
        matters: Share of the way from chance to certainty from which on it matters.
    """
    if shortcuts.empty:
        figure, (axes,) = make_figure(7, 1.6)
        axes.set_title("Shortcuts")
        axes.text(0, 0.5, "Not measured: fewer than two classes have enough pictures.")
        axes.axis("off")
        return figure
    figure, (scores, ratios) = make_figure(10, 4.2, columns=2)
    places, chance = np.arange(len(shortcuts)), float(shortcuts["chance"].iloc[0])
    values = shortcuts["balanced_accuracy"].to_numpy(np.float64)
    reach = np.stack([values - shortcuts["low"], shortcuts["high"] - values]).clip(0)
    for place, warning in zip(places, shortcuts["warning"], strict=True):
        scores.errorbar(
            values[place], place, xerr=reach[:, [place]], fmt="o", capsize=3,
            color=ORANGE if warning else BLUE,
        )  # fmt: skip
    limit = chance + matters * (1 - chance)
    scores.axvline(chance, color=GREY, linestyle="--", label=f"chance {chance:.1%}")
    scores.axvline(limit, color=ORANGE, linestyle=":", label=f"matters from {limit:.1%} on")
    scores.set(xlim=(0, 1.02), yticks=places, xlabel="balanced accuracy (share)")
    scores.set_title("How well it names the class", pad=22)
    scores.legend(frameon=False, ncols=2, fontsize=8, loc="lower center", bbox_to_anchor=(0.5, 1))
    ratios.barh(places, shortcuts["correlation_ratio"], color=BLUE)
    ratios.set(xlim=(0, 1), yticks=places, xlabel="share of its variance (ranks)")
    ratios.set_title("How much of it lies between classes", pad=22)
    for axes in (scores, ratios):
        axes.set_yticks(places, shortcuts["property"])
        axes.set_ylabel("property")
        axes.set_ylim(len(places) - 0.5, -0.5)
        _clean_flat(axes)
    return figure


def _name(labels: pd.Series) -> list[str]:
    return [write_name(label) for label in labels]


def _clean_flat(axes: Axes) -> None:
    """As :func:`clean_axes`, for axes whose values run to the right."""
    clean_axes(axes)
    axes.grid(visible=False, axis="y")
    axes.grid(axis="x", color="#e5e7eb")
