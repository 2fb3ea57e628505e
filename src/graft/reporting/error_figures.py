"""Where a classifier errs: confusions, errors by split and fold, mistakes with their Grad-CAM."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping
from typing import Any

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image

from graft.analysis.metrics import condense_confusions
from graft.reporting.style import (
    BLUE,
    GREY,
    ORANGE,
    clean_axes,
    draw_note,
    make_figure,
    use_fonts_of_this_machine,
    write_name,
)

# Numbers in the cells and names on the axes are readable up to so many classes.
_MOST_CLASSES_WITH_NUMBERS = 25
_MOST_CLASSES_WITH_NAMES = 60
# Of more classes these many are shown, those confused most, and the others as one.
_KEPT_CLASSES = 24


def draw_confusion(counts: pd.DataFrame, log2: bool = False) -> Figure:
    """Draw a confusion matrix; of more than 60 classes the 24 that are confused most.

    Args:
        counts: Pictures by true class (rows) and predicted class (columns).
        log2: Colour by log2(1 + pictures), which makes single mistakes visible beside
            hundreds of hits.
    """
    title = "Confusions on test"
    if len(counts) > _MOST_CLASSES_WITH_NAMES:
        title += f", the {_KEPT_CLASSES} most confused of {len(counts):,} classes"
        counts = condense_confusions(counts, _KEPT_CLASSES)
    class_count = len(counts)
    side = float(np.clip(2.5 + 0.42 * class_count, 4.5, 14))
    figure, (axes,) = make_figure(side + 1, side)
    values = np.log2(1 + counts.to_numpy()) if log2 else counts.to_numpy()
    image = axes.imshow(values, cmap="Blues", vmin=0)
    bar = figure.colorbar(image, ax=axes, shrink=0.8)
    bar.set_label("log2(1 + pictures)" if log2 else "pictures")
    axes.set_xlabel("predicted class")
    axes.set_ylabel("true class")
    axes.set_title(title + (" (log2 scale)" if log2 else ""))
    names = [write_name(name) for name in counts.index]
    upright = class_count <= 12 and max(map(len, names)) <= 3
    # Anchored at its end, a name ends at its tick however long a browser's font makes it.
    axes.set_xticks(range(class_count), names)
    if not upright:
        for name in axes.get_xticklabels():
            name.set(rotation=90, rotation_mode="anchor", ha="right", va="center")
    axes.set_yticks(range(class_count), names)
    if class_count <= _MOST_CLASSES_WITH_NUMBERS:
        _write_numbers(axes, counts.to_numpy(), values)
    return figure


def _write_numbers(axes: Axes, counts: np.ndarray, values: np.ndarray) -> None:
    dark = values > np.nanmax(values) / 2
    for row, column in zip(*np.nonzero(np.nan_to_num(counts)), strict=True):
        axes.text(
            column,
            row,
            f"{counts[row, column]:,.0f}",
            ha="center",
            va="center",
            fontsize=8,
            color="white" if dark[row, column] else "black",
        )


def draw_steps(
    errors: Mapping[str, Mapping[str, float]],
    baselines: Mapping[str, float],
    human_error: float | None,
    confidence: float,
) -> Figure:
    """Draw the error on each split with its interval, and what it is to be compared with.

    Args:
        errors: Split to ``n``, ``value``, ``low``, ``high``, in the order of the error breakdown.
        baselines: Name to error of classifiers that have learnt nothing.
        human_error: Error of people; None if unknown.
        confidence: Coverage of the intervals.
    """
    figure, (axes,) = make_figure(6.4, 3.6)
    values = [100 * part["value"] for part in errors.values()]
    below = [100 * (part["value"] - part["low"]) for part in errors.values()]
    above = [100 * (part["high"] - part["value"]) for part in errors.values()]
    names = [f"{split.replace('_', '-')}\n{part['n']:,}" for split, part in errors.items()]
    axes.plot(names, values, color=BLUE, alpha=0.35, drawstyle="steps-mid")
    axes.errorbar(names, values, (below, above), color=BLUE, fmt="o", capsize=5)
    top = 1.25 * max(100 * max(part["high"] for part in errors.values()), 1)
    hidden = []
    for style, (name, error) in zip(("--", ":"), baselines.items(), strict=True):
        told = f"{name}: {100 * error:.1f} %"
        if 100 * error < top:
            axes.axhline(100 * error, color=GREY, linestyle=style, label=told)
        else:
            hidden.append(told)
    if human_error is not None:
        told = f"people: {100 * human_error:.1f} %"
        axes.axhline(100 * human_error, color=ORANGE, label=told)
        top = max(top, 125 * human_error)
    if hidden:
        # Drawn to scale they would press the steps to the ground.
        axes.annotate(
            f"far above: {', '.join(hidden)}", (0.99, 0.97), xycoords="axes fraction",
            ha="right", va="top", fontsize=8, color=GREY,
        )  # fmt: skip
    axes.set_ylim(0, top)
    axes.margins(x=0.12)
    axes.set_title("Errors from train to test")
    axes.set_xlabel("split, pictures measured")
    axes.set_ylabel(f"wrong (%), {100 * confidence:g} % interval")
    if axes.get_legend_handles_labels()[0]:
        axes.legend(frameon=False, fontsize=8, loc="upper left")
    clean_axes(axes)
    return figure


_COLUMNS = 3


def draw_folds(
    scores: pd.DataFrame, names: list[str], units: Mapping[str, str] | None = None
) -> Figure:
    """Draw a panel a score: a point a fold and the mean of each model.

    Args:
        scores: Columns ``model`` and each of ``names``, a row a fold.
        names: The scores.
        units: Of a score, by its name; the name stands for what is missing.
    """
    columns = min(_COLUMNS, len(names))
    rows = -(-len(names) // columns)
    figure = Figure(figsize=(10, 0.6 + 3.2 * rows), layout="constrained", dpi=120)
    figure.suptitle("Scores of the folds: a point a fold, a bar the mean")
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    models = list(dict.fromkeys(scores["model"]))
    for axes in panels[len(names) :]:
        axes.axis("off")
    for axes, name in zip(panels, names, strict=False):
        for place, model in enumerate(models):
            values = scores.loc[scores["model"] == model, name].to_numpy()
            axes.plot(np.full(len(values), place), values, "o", color=BLUE, alpha=0.5)
            axes.plot(place, values.mean(), "_", color=ORANGE, markersize=28, markeredgewidth=3)
        axes.set_xticks(range(len(models)), models)
        axes.set_xlim(-0.5, len(models) - 0.5)
        axes.set_xlabel("model")
        axes.set_ylabel((units or {}).get(name, name))
        axes.set_title(name)
        clean_axes(axes)
    return figure


# A heat of 6×6 places over a picture of 8×8 pixels needs room to be seen.
_SMALLEST_OVERLAY = 96
_BOXES = Image.Resampling.NEAREST


def show_in_colour(pixels: np.ndarray) -> np.ndarray:
    """A picture (H, W, 1 or 3), uint8, as (H, W, 3): one channel stands for all three."""
    return np.array(np.broadcast_to(pixels, (*pixels.shape[:2], 3)))


def overlay_heat(pixels: np.ndarray, heat: np.ndarray) -> np.ndarray:
    """Lay heat over the grey of a picture, from dark violet (none) to yellow (most).

    Args:
        pixels: (H, W, 1 or 3), uint8.
        heat: (h, w), uint8, spread over the whole picture.

    Returns:
        (H', W', 3), uint8; pictures of a few pixels come out larger.
    """
    picture = Image.fromarray(show_in_colour(pixels))
    larger = -(-_SMALLEST_OVERLAY // max(picture.size))
    size = (picture.width * larger, picture.height * larger)
    grey = np.asarray(picture.resize(size, _BOXES).convert("L"), np.float64)[..., np.newaxis]
    spread = Image.fromarray(heat).resize(size, Image.Resampling.BILINEAR)
    colours = matplotlib.colormaps["plasma"](np.asarray(spread))[..., :3] * 255
    return np.rint(0.45 * grey + 0.55 * colours).astype(np.uint8)


def embed_small(pixels: np.ndarray, side: int) -> str:
    """A picture as an address that needs no other file, a few kilobytes at most.

    Args:
        pixels: (H, W, 1 or 3), uint8.
        side: Longest side, in pixels; larger pictures are made smaller.
    """
    picture = Image.fromarray(show_in_colour(pixels))
    picture.thumbnail((side, side))
    buffer = io.BytesIO()
    # A JPEG of a few pixels is all header and blur.
    kind = "jpeg" if max(picture.size) >= 48 else "png"
    picture.save(buffer, kind, **({"quality": 82} if kind == "jpeg" else {}))
    return f"data:image/{kind};base64,{base64.b64encode(buffer.getvalue()).decode()}"


_SIDE, _SMALL_SIDE = 160, 80
_ROWS = 6


def embed_pictures(
    explanations: Mapping[str, Any], heat_maps: np.ndarray, images: np.ndarray
) -> dict[str, Any]:
    """The section ``explanation`` of the report, with its pictures as addresses.

    No picture file is read: what is shown is what the classifier saw.

    Args:
        explanations: As made by the explanation stage.
        heat_maps: (n, h, w), uint8, in the order of ``explanations["pictures"]``.
        images: All pictures (N, H, W, 1 or 3), uint8.

    Returns:
        The same, and for every picture ``source`` and ``heat`` (None without heat maps), for
        every neighbour ``source``.
    """
    pictures = [
        {
            **picture,
            "source": embed_small(images[picture["row"]], _SIDE),
            "heat": embed_small(overlay_heat(images[picture["row"]], heat), _SIDE)
            if heat.size
            else None,
            "nearest": [
                {**near, "source": embed_small(images[near["row"]], _SMALL_SIDE)}
                for near in picture["nearest"]
            ],
        }
        for picture, heat in zip(explanations["pictures"], heat_maps, strict=True)
    ]
    return {**explanations, "pictures": pictures}


def draw_explained(
    explanations: Mapping[str, Any], heat_maps: np.ndarray, images: np.ndarray
) -> Figure:
    """Draw the first mistakes and close hits, a row each: picture, heat, nearest of train.

    Args:
        explanations: As of :func:`embed_pictures`.
        heat_maps: As there.
        images: As there.
    """
    mistakes, hits = explanations["mistakes"], explanations["hits"]
    shown = [*mistakes[: max(_ROWS // 2, _ROWS - len(hits))], *hits][:_ROWS]
    if not shown:
        return draw_note("There is no picture of test to show.")
    nearest = max(len(explanations["pictures"][number]["nearest"]) for number in shown)
    use_fonts_of_this_machine()
    figure = Figure(
        figsize=(1.7 * (2 + nearest), 1.95 * len(shown) + 0.5), layout="constrained", dpi=72
    )
    figure.suptitle("Test pictures, what spoke for the class given, nearest of train", fontsize=11)
    panels = figure.subplots(len(shown), 2 + nearest, squeeze=False)
    for axes in panels.ravel():
        axes.axis("off")
    for row, number in zip(panels, shown, strict=True):
        picture, heat = explanations["pictures"][number], heat_maps[number]
        pixels = images[picture["row"]]
        taken = "" if picture["label"] == picture["predicted"] else "taken for "
        said = f"{taken}{_name(picture['predicted'])} ({picture['probability']:.2f})"
        _show(row[0], pixels, f"{_name(picture['label'])}\n{said}")
        if heat.size:
            _show(row[1], overlay_heat(pixels, heat), "")
        for axes, near in zip(row[2:], picture["nearest"], strict=False):
            _show(axes, images[near["row"]], f"{_name(near['label'])}\n{near['similarity']:.2f}")
    return figure


def _show(axes: Axes, pixels: np.ndarray, title: str) -> None:
    axes.imshow(show_in_colour(pixels), interpolation="nearest")
    axes.set_title(title, fontsize=7)


def _name(label: str) -> str:
    return write_name(label, 18)
