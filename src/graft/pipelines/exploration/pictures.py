"""Reading single pictures for people to look at; none of them may stop a run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from graft.figures.contact_sheets import Panel
from graft.images.crops import parse_crop
from graft.images.decoding import PictureError, decode_picture
from graft.images.sources import ImageSource
from graft.pipelines.exploration.findings import describe_outlier
from graft.pipelines.exploration.parameters import ExplorationParameters

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
