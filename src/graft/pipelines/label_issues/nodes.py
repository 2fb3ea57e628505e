"""Nodes of the stage of doubtful labels."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
import pandas as pd

from graft.analysis.label_issues import score_labels
from graft.datasets.features import FeatureTable
from graft.errors import GraftError
from graft.images.colours import copy_pictures
from graft.pipelines.label_issues.judging import (
    describe_part,
    judge_labels,
    leave_out,
    soften,
)
from graft.pipelines.label_issues.parameters import LabelDoubtsParameters
from graft.progress import tell
from graft.reporting.embedding import embed_thumbnail

COLUMNS = [
    "rank",
    "image_id",
    "image_sha256",
    "split",
    "label",
    "suggested_label",
    "probability_of_label",
    "probability_of_suggested",
    "doubt",
    "action",
    "new_label",
]
_FIGURES = ["probability_of_label", "probability_of_suggested", "doubt"]
logger = logging.getLogger(__name__)


def find_label_issues(
    features: FeatureTable,
    chosen_predictions: pd.DataFrame,
    splits: pd.DataFrame,
    class_names: list[str],
    applied_reviews: pd.DataFrame,
    parameters: LabelDoubtsParameters,
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Rank the labels by how little a classifier that has not learnt them would give them.

    Returns:
        ``label_issues``: the open issues, the most doubtful first: ``rank`` (from 1),
        ``image_id``, ``image_sha256``, ``split``, ``label``, ``suggested_label``,
        ``probability_of_label``, ``probability_of_suggested``, ``doubt`` (0 to 1), ``action``
        (empty, for a person) and ``new_label`` (the suggestion). After them, without a rank,
        the pictures that a person has decided about, with their reviews: the filled list may
        replace the one filled before. ``label_issues_counts``: ``judged`` pictures, ``unjudged``
        ones (no other picture of their class was at hand, or no judge), those that a person has
        ``decided`` about, and ``parts``: of the held-out pictures and of train what may be said of
        the number of wrong labels, see
        :func:`~graft.pipelines.label_issues.judging.describe_part`.

    Raises:
        GraftError: If a feature is not a finite number.
    """
    vectors = _read_features(features, splits["image_id"])
    labels = splits["label_index"].to_numpy(np.int64)
    clusters = splits["cluster"].to_numpy(np.int64)
    decided = splits["image_id"].isin(applied_reviews["image_id"]).to_numpy()
    found = judge_labels(
        vectors, splits, chosen_predictions, class_names, parameters.folds, parameters.seed
    )
    parts = [leave_out(part, decided) for part in found]
    told = [part for part in parts if len(part.rows)]
    open_ = pd.DataFrame(columns=COLUMNS)
    rows = np.concatenate([part.rows for part in parts])
    if len(np.unique(labels[rows])) > 1:
        softened = [soften(part, labels[part.rows], parameters.confidence) for part in told]
        probabilities = np.concatenate(softened)
        open_ = _rank(_tabulate(splits.iloc[rows], labels[rows], probabilities, class_names))
    else:
        parts = [leave_out(part, np.ones(len(splits), bool)) for part in parts]
    model = str(chosen_predictions["model"].iloc[0])
    described = [
        describe_part(part, labels[part.rows], clusters[part.rows], model, parameters.confidence)
        for part in parts
    ]
    counts = {
        "judged": len(open_),
        "unjudged": int((~decided).sum()) - len(open_),
        "decided": len(applied_reviews),
        "parts": described,
    }
    _log_issues(counts)
    return _add_decided(open_, applied_reviews, splits), counts


def describe_label_issues(
    label_issues: pd.DataFrame,
    label_issues_counts: dict[str, Any],
    images: np.ndarray,
    splits: pd.DataFrame,
    parameters: LabelDoubtsParameters,
) -> dict[str, Any]:
    """What the report says of doubtful labels.

    Returns:
        ``label_issues_section``: the counts, ``review_file``, and ``first``: the first open
        issues, each with its row of ``label_issues`` and a ``thumbnail`` (a data address).
    """
    first = label_issues[label_issues["rank"].notna()].head(parameters.shown)
    rows = pd.Index(splits["image_id"]).get_indexer(first["image_id"])
    shown = ["image_id", "split", "label", "suggested_label", *_FIGURES]
    return {
        **label_issues_counts,
        "review_file": parameters.review_file,
        "first": [
            {**facts, "thumbnail": embed_thumbnail(copy_pictures(images, np.array([row]))[0])}
            for facts, row in zip(first[shown].to_dict("records"), rows, strict=True)
        ],
    }


def _read_features(features: FeatureTable, image_ids: pd.Series) -> np.ndarray:
    """Features (n, D) of the unaugmented pictures, in the order of ``image_ids``."""
    vectors = features.read(image_ids)
    broken = ~np.isfinite(vectors).all(axis=1)
    if broken.any():
        raise GraftError(
            "every feature must be a finite number; run --pipelines=feature_extraction --force; "
            f"got another for '{image_ids.iloc[int(broken.argmax())]}'"
        )
    return vectors


def _tabulate(
    pictures: pd.DataFrame, labels: np.ndarray, probabilities: np.ndarray, class_names: list[str]
) -> pd.DataFrame:
    issues, others = score_labels(labels, probabilities)
    every = np.arange(len(labels))
    suggested = np.array(class_names, dtype=object)[others]
    return pd.DataFrame(
        {
            "image_id": pictures["image_id"].to_numpy(),
            "image_sha256": pictures["sha256"].to_numpy(),
            "split": pictures["split"].to_numpy(),
            "label": pictures["label"].to_numpy(),
            "suggested_label": suggested,
            "probability_of_label": probabilities[every, labels].round(6),
            "probability_of_suggested": probabilities[every, others].round(6),
            "doubt": issues.round(6),
            "action": None,
            "new_label": suggested,
        }
    )


def _rank(table: pd.DataFrame) -> pd.DataFrame:
    """The most doubtful first; the name settles ties, so that no order of files matters."""
    ranked = table.sort_values(["doubt", "image_id"], ascending=[False, True])
    return ranked.assign(rank=np.arange(1, len(ranked) + 1))[COLUMNS]


def _add_decided(
    open_: pd.DataFrame, applied_reviews: pd.DataFrame, splits: pd.DataFrame
) -> pd.DataFrame:
    split = splits[["image_id", "split"]]
    decided = applied_reviews.merge(split, on="image_id", how="left").reindex(columns=COLUMNS)
    text = dict.fromkeys(set(COLUMNS) - {"rank", *_FIGURES}, "str")
    types = {"rank": "Int64", **dict.fromkeys(_FIGURES, "float64"), **text}
    tables = [table.astype(types) for table in (open_, decided)]
    return pd.concat(tables, ignore_index=True)


def _log_issues(counts: dict[str, Any]) -> None:
    for part in counts["parts"]:
        if part["sentence"]:
            tell("Labels", part["sentence"])
