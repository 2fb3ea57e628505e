"""Verdicts of a person on labels: which of them hold, and what becomes of the pictures."""

from __future__ import annotations

import difflib
import logging

import pandas as pd

from graft.errors import GraftError
from graft.images.checking import OK, QUARANTINED
from graft.images.label_verdicts import DROP, RELABEL, VERDICTS

COLUMNS = ["image_id", "image_sha256", "label", "verdict", "new_label"]
_DROPPED = "dropped by a verdict on its label"
_DONE = {"keep": "kept", "relabel": "relabelled", "drop": "dropped"}
logger = logging.getLogger(__name__)


def check_label_verdicts(
    checked_images: pd.DataFrame, label_verdicts: pd.DataFrame | None
) -> pd.DataFrame:
    """Match the verdicts with the pictures; those on other pictures than today's are ignored.

    Args:
        checked_images: Of :func:`~graft.pipelines.ingestion.nodes.check_images`.
        label_verdicts: Of :func:`~graft.images.label_verdicts.read_label_verdicts`; None if
            nobody has given any.

    Returns:
        ``applied_verdicts``, in the order of the pictures: ``image_id``, ``image_sha256``,
        ``label`` (of the source), ``verdict`` and ``new_label`` (missing unless relabelled).

    Raises:
        GraftError: If a new label is not one that the source has; names file and row.
    """
    if label_verdicts is None:
        return pd.DataFrame(columns=COLUMNS, dtype="str")
    _refuse_unknown_labels(label_verdicts, checked_images["label"])
    pictures = checked_images[["image_id", "sha256", "label"]]
    found = pictures.merge(label_verdicts, on="image_id", validate="one_to_one")
    applied = found[found["sha256"] == found["image_sha256"]]
    _warn_of_ignored(label_verdicts, applied)
    given = applied["verdict"].value_counts()
    told = [f"{given[word]:,} {_DONE[word]}" for word in VERDICTS if word in given]
    if told:
        logger.info("Verdicts     %s", ", ".join(told))
    is_relabelled = applied["verdict"] == RELABEL
    applied = applied.assign(new_label=applied["new_label"].where(is_relabelled))
    return applied[COLUMNS].reset_index(drop=True).astype("str")


def apply_verdicts(pictures: pd.DataFrame, applied_verdicts: pd.DataFrame) -> pd.DataFrame:
    """Give relabelled pictures their new label, and put dropped ones into quarantine.

    Args:
        pictures: Columns ``image_id``, ``label``, ``status`` and ``reason``, among others.
        applied_verdicts: Of :func:`check_label_verdicts`.
    """
    if applied_verdicts.empty:
        return pictures
    verdicts = applied_verdicts.set_index("image_id")
    new_labels = pictures["image_id"].map(verdicts["new_label"])
    is_dropped = (pictures["image_id"].map(verdicts["verdict"]) == DROP) & (
        pictures["status"] == OK
    )
    return pictures.assign(
        label=new_labels.where(new_labels.notna(), pictures["label"]),
        status=pictures["status"].mask(is_dropped, QUARANTINED),
        reason=pictures["reason"].mask(is_dropped, _DROPPED),
    ).astype({name: pictures[name].dtype for name in ("label", "status", "reason")})


def _refuse_unknown_labels(verdicts: pd.DataFrame, labels: pd.Series) -> None:
    known = sorted(labels.dropna().unique())
    relabelled = verdicts[verdicts["verdict"] == RELABEL]
    wrong = relabelled[~relabelled["new_label"].isin(known)]
    if wrong.empty:
        return
    first = wrong.iloc[0]
    close = difflib.get_close_matches(first["new_label"], known, n=1)
    hint = f"did you mean '{close[0]}'? " if close else ""
    listed = ", ".join(known[:10]) + (", …" if len(known) > 10 else "")
    raise GraftError(
        f"{first['place']}: new_label must be a class that the pictures have; {hint}"
        f"allowed are {listed}; got '{first['new_label']}'"
    )


def _warn_of_ignored(verdicts: pd.DataFrame, applied: pd.DataFrame) -> None:
    ignored = verdicts[~verdicts["image_id"].isin(applied["image_id"])]
    if len(ignored):
        first = ignored.iloc[0]
        logger.warning(
            "Verdicts     %s ignored: the picture has changed since or is gone; first %s ('%s')",
            f"{len(ignored):,}", first["place"], first["image_id"],
        )  # fmt: skip
