"""Nodes of the stage that chooses pictures to label."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from graft.analysis.more_labels import describe_gain, foretell_gain
from graft.analysis.next_labels import NextLabels, choose_next
from graft.analysis.refits import Pictures
from graft.datasets.features import FeatureTable
from graft.images.colours import copy_pictures, show_in_rgb
from graft.pipelines.label_next.parameters import LabelNextParameters
from graft.progress import tell
from graft.reporting.contact_sheets import Panel, draw_sheet

COLUMNS = [
    "rank", "image_id", "image_sha256", "label", "action", "new_label", "probability", "reason",
]  # fmt: skip


def choose_pictures_to_label(
    unlabelled_features: FeatureTable,
    unlabelled_pictures: pd.DataFrame,
    features: FeatureTable,
    splits: pd.DataFrame,
    class_names: list[str],
    applied_reviews: pd.DataFrame,
    parameters: LabelNextParameters,
) -> pd.DataFrame:
    """Rank the pictures whose labels would teach most.

    The labels of train alone say which pictures are doubtful; those of dev and test are not
    learnt from.

    Returns:
        ``label_next``: ``rank`` (from 1), ``image_id``, ``image_sha256``, ``label`` (missing),
        ``action`` (empty, for a person), ``new_label`` (the suggestion; missing before two
        classes have a label), ``probability`` of it, ``reason``. After them, without a rank, the
        pictures that a person has decided about, with their reviews: the filled list may replace
        the one filled before.
    """
    pool = unlabelled_features.read(unlabelled_pictures["image_id"])
    is_train = (splits["split"] == "train").to_numpy()
    vectors = features.read(splits["image_id"])
    labels = splits["label_index"].to_numpy(np.int64)
    found = choose_next(
        pool, vectors, (vectors[is_train], labels[is_train]), len(class_names),
        parameters.count, parameters.typical_labels, parameters.seed,
    )  # fmt: skip
    _tell(found, len(pool), len(splits), len(class_names), parameters)
    chosen = unlabelled_pictures.iloc[found.rows]
    open_ = pd.DataFrame(
        {
            "rank": np.arange(1, len(found.rows) + 1),
            "image_id": chosen["image_id"].to_numpy(),
            "image_sha256": chosen["sha256"].to_numpy(),
            **_suggest(found, class_names),
        }
    )
    return pd.concat([_set_types(open_), _set_types(applied_reviews)], ignore_index=True)


def _suggest(found: NextLabels, class_names: list[str]) -> dict[str, list[object]]:
    """The likeliest class of every chosen picture, and why it was chosen."""
    reasons = ["typical of many" if typical else "doubtful" for typical in found.is_typical]
    if found.probabilities is None:
        return {"reason": list(reasons)}
    rows = found.probabilities[found.rows]
    ranked = rows.argsort(axis=1, kind="stable")[:, ::-1]
    for number, (first, second) in enumerate(ranked[:, :2]):
        if not found.is_typical[number]:
            reasons[number] = f"between {class_names[first]} and {class_names[second]}"
    return {
        "new_label": [class_names[first] for first in ranked[:, 0]],
        "probability": rows.max(axis=1).tolist(),
        "reason": list(reasons),
    }


def _set_types(table: pd.DataFrame) -> pd.DataFrame:
    text = dict.fromkeys(set(COLUMNS) - {"rank", "probability"}, "str")
    return table.reindex(columns=COLUMNS).astype({"rank": "Int64", "probability": float, **text})


def _tell(
    found: NextLabels, pool: int, labels: int, classes: int, parameters: LabelNextParameters
) -> None:
    typical = int(found.is_typical.sum())
    kinds = {"typical of many others": typical, "doubtful": len(found.rows) - typical}
    told = ", ".join(f"{count:,} {kind}" for kind, count in kinds.items() if count)
    tell(
        "Label next",
        f"{len(found.rows):,} of {pool:,} pictures without a label: {told} "
        f"({labels:,} labels of {classes} classes so far)",
    )
    tell(
        "",
        "answer on the page of `kedro label`, or fill in the column action and copy the list to "
        f"{parameters.review_file}",
    )


def foretell_label_gain(
    features: FeatureTable,
    splits: pd.DataFrame,
    applied_reviews: pd.DataFrame,
    parameters: LabelNextParameters,
) -> dict[str, Any]:
    """Say what as many labels more as are asked for would gain; test is not looked at.

    Of the new ones as many are counted for train as are in train now, of all that have a label.

    Returns:
        ``label_gain``: ``labels`` (how many more), ``gain``, ``low`` and ``high`` (fall of the
        error; None where it cannot be told), ``sentence``.
    """
    seen = splits[splits["split"].isin(["train", "dev"])]
    pictures = Pictures(
        features.read(seen["image_id"]),
        seen["label_index"].to_numpy(np.int64),
        seen["cluster"].to_numpy(np.int64),
    )
    train = int((splits["split"] == "train").sum())
    more = max(1, round(parameters.count * train / len(splits)))
    found = foretell_gain(pictures, train, more, parameters.seed)
    asked_for = applied_reviews.loc[applied_reviews["label"].isna(), "image_id"]
    chosen = float(seen["image_id"].isin(asked_for).mean())
    sentence = describe_gain(found, parameters.count, chosen)
    tell("More labels", sentence)
    told = {"gain": found.gain, "low": found.low, "high": found.high}
    figures = {name: None if found.withheld else value for name, value in told.items()}
    return {"labels": parameters.count, **figures, "sentence": sentence}


def draw_pictures_to_label(
    unlabelled_pixels: np.ndarray,
    unlabelled_pictures: pd.DataFrame,
    label_next: pd.DataFrame,
    parameters: LabelNextParameters,
) -> Figure:
    """Draw the first pictures of the list.

    Returns:
        ``label_next_sheet``: a contact sheet, in the order of the ranks.
    """
    first = label_next[label_next["rank"].notna()].head(parameters.shown)
    rows = pd.Index(unlabelled_pictures["image_id"]).get_indexer(first["image_id"])
    pixels = [show_in_rgb(copy_pictures(unlabelled_pixels, np.array([row])))[0] for row in rows]
    captions = first["image_id"].str.rpartition("/")[2]
    reasons = first["new_label"].fillna("") + "?"
    panels = [
        Panel((f"{rank}. {name}", reason), picture)
        for rank, name, reason, picture in zip(
            first["rank"], captions, reasons, pixels, strict=True
        )
    ]
    return draw_sheet(panels, "Which pictures to label next")
