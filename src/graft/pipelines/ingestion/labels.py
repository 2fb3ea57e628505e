"""Labels that contradict each other, and what a person has decided about labels."""

from __future__ import annotations

import difflib
from dataclasses import dataclass

import pandas as pd

from graft.errors import GraftError
from graft.images.checking import OK, QUARANTINED
from graft.images.duplicates import (
    SAME_PIXELS,
    find_clusters,
    find_links,
    list_conflicts,
    list_duplicates,
    name_links,
)
from graft.progress import tell, warn
from graft.sources.label_review import ACTIONS, DROP, NEW_CLASS, RELABEL
from graft.sources.labels_by_people import DISPUTED


@dataclass(frozen=True)
class Clustered:
    """An index with its clusters, and the lists that come of them.

    Attributes:
        index: The rows given, with the column ``cluster`` (missing in quarantine).
        duplicates: Of :func:`~graft.images.duplicates.list_duplicates`.
        conflicts: Of :func:`~graft.images.duplicates.list_conflicts`.
        links: Of :func:`~graft.images.duplicates.name_links`.
    """

    index: pd.DataFrame
    duplicates: pd.DataFrame
    conflicts: pd.DataFrame
    links: pd.DataFrame


def cluster_pictures(index: pd.DataFrame, radius: int | None) -> Clustered:
    """Find the clusters of the usable pictures and list copies and conflicts of labels.

    Args:
        index: Columns of the index, ``status`` among them.
        radius: Largest Hamming distance of hashes of look-alikes, in bits; None leaves
            look-alikes out.
    """
    usable = index[index["status"] == OK].reset_index(names="row")
    links = find_links(usable, radius)
    usable["cluster"] = find_clusters(usable, links)
    clusters = usable.set_index("row")["cluster"].reindex(index.index)
    return Clustered(
        index.assign(cluster=clusters.astype("Int64")),
        list_duplicates(usable, links),
        list_conflicts(usable, links),
        name_links(usable, links),
    )


def settle_conflicts(index: pd.DataFrame, conflicts: pd.DataFrame, policy: str) -> pd.DataFrame:
    """Deal with pictures whose very pixels stand under two labels; look-alikes are only listed.

    Args:
        index: The index.
        conflicts: Of :func:`cluster_pictures`.
        policy: ``"drop"`` quarantines all of them, for nobody knows which label is right;
            ``"keep"`` leaves them; ``"error"`` refuses them.

    Returns:
        The index, with new ``status`` and ``reason`` where pictures were dropped.

    Raises:
        GraftError: If the policy is ``"error"`` and there is a conflict.
    """
    certain = conflicts[conflicts["kind"] == SAME_PIXELS]
    if policy == "keep" or certain.empty:
        return index
    reasons = (
        "same picture as '" + certain["same_as"] + "' under label '" + certain["other_label"] + "'"
    )
    if policy == "error":
        first = certain.iloc[0]
        raise GraftError(
            f"{len(certain):,} pictures stand under two labels; mend the labels or set "
            f"ingestion.label_conflicts to drop or keep; the first is '{first['image_id']}' "
            f"('{first['label']}'), the {reasons.iloc[0]}"
        )
    rows = index["image_id"].isin(certain["image_id"])
    found = index.loc[rows, "image_id"].map(dict(zip(certain["image_id"], reasons, strict=True)))
    index = index.copy()
    index.loc[rows, "status"] = QUARANTINED
    index.loc[rows, "reason"] = found
    return index


COLUMNS = ["image_id", "image_sha256", "label", "action", "new_label"]
_DROPPED = "dropped by an action on its label"
_DONE = {
    "keep": "kept", "relabel": "relabelled", "new_class": "put into new classes",
    "drop": "dropped",
}  # fmt: skip


def check_label_review(
    checked_images: pd.DataFrame, label_review: pd.DataFrame | None
) -> pd.DataFrame:
    """Match the reviews with the pictures; those on other pictures than today's are ignored.

    Args:
        checked_images: Of :func:`~graft.pipelines.ingestion.nodes.check_images`.
        label_review: Of :func:`~graft.sources.labels_by_people.join_reviews`; None if nobody has
            decided anything.

    Returns:
        ``applied_reviews``, in the order of the pictures: ``image_id``, ``image_sha256``,
        ``label`` (of the source), ``action`` and ``new_label`` (missing unless it gives one).

    Raises:
        GraftError: If a ``relabel`` gives a label that neither the source has nor a ``new_class``
            gives; names file and row.
    """
    if label_review is None:
        return pd.DataFrame(columns=COLUMNS, dtype="str")
    label_review = _leave_out_disputed(label_review)
    # The name of a class may begin or end with a space; a space too many is none of it.
    is_new = label_review["action"] == NEW_CLASS
    had = {*checked_images["label"].dropna()}
    known = {*had, *label_review.loc[is_new, "new_label"].str.strip()}
    written = label_review["new_label"]
    meant = written.where(written.isin(known), written.str.strip())
    is_had = is_new & meant.isin(had)
    action = label_review["action"].mask(is_had, RELABEL)
    label_review = label_review.assign(new_label=meant, action=action)
    _refuse_unknown_labels(label_review, sorted(known))
    pictures = checked_images[["image_id", "sha256", "label"]]
    found = pictures.merge(label_review, on="image_id", validate="one_to_many")
    applied = found[found["sha256"] == found["image_sha256"]]
    _warn_of_ignored(label_review, applied)
    given = applied["action"].value_counts()
    told = [f"{given[word]:,} {_DONE[word]}" for word in ACTIONS if word in given]
    if told:
        tell("Reviews", "%s", ", ".join(told))
    is_relabelled = applied["action"].isin([RELABEL, NEW_CLASS])
    applied = applied.assign(new_label=applied["new_label"].where(is_relabelled))
    return applied[COLUMNS].reset_index(drop=True).astype("str")


def apply_reviews(pictures: pd.DataFrame, applied_reviews: pd.DataFrame) -> pd.DataFrame:
    """Give relabelled pictures their new label, and put dropped ones into quarantine.

    Args:
        pictures: Columns ``image_id``, ``label``, ``status`` and ``reason``, among others.
        applied_reviews: Of :func:`check_label_review`.
    """
    if applied_reviews.empty:
        return pictures
    reviews = applied_reviews.set_index("image_id")
    new_labels = pictures["image_id"].map(reviews["new_label"])
    is_dropped = (pictures["image_id"].map(reviews["action"]) == DROP) & (pictures["status"] == OK)
    return pictures.assign(
        label=new_labels.where(new_labels.notna(), pictures["label"]),
        status=pictures["status"].mask(is_dropped, QUARANTINED),
        reason=pictures["reason"].mask(is_dropped, _DROPPED),
    ).astype({name: pictures[name].dtype for name in ("label", "status", "reason")})


def _leave_out_disputed(reviews: pd.DataFrame) -> pd.DataFrame:
    """The decisions without those on which people disagree, which are told."""
    is_disputed = reviews["action"] == DISPUTED
    if is_disputed.any():
        warn(
            "Disagreed", "%s answered differently by different people, and not used until that is "
            "settled (kedro label, Disagreements); first '%s': %s", f"{is_disputed.sum():,}",
            reviews.loc[is_disputed, "image_id"].iloc[0],
            reviews.loc[is_disputed, "place"].iloc[0],
        )  # fmt: skip
    return reviews[~is_disputed]


def _refuse_unknown_labels(reviews: pd.DataFrame, known: list[str]) -> None:
    relabelled = reviews[reviews["action"] == RELABEL]
    wrong = relabelled[~relabelled["new_label"].isin(known)]
    if wrong.empty:
        return
    first = wrong.iloc[0]
    close = difflib.get_close_matches(first["new_label"], known, n=1)
    hint = f"did you mean '{close[0]}'? " if close else ""
    listed = ", ".join(known[:10]) + (", …" if len(known) > 10 else "")
    raise GraftError(
        f"{first['place']}: new_label must be a class that the pictures have; {hint}"
        f"allowed are {listed}; the action new_class makes another one; got '{first['new_label']}'"
    )


def _warn_of_ignored(reviews: pd.DataFrame, applied: pd.DataFrame) -> None:
    ignored = reviews[~reviews["image_id"].isin(applied["image_id"])]
    if len(ignored):
        first = ignored.iloc[0]
        warn(
            "Reviews", "%s ignored: the picture has changed since or is gone; first %s ('%s')",
            f"{len(ignored):,}", first["place"], first["image_id"],
        )  # fmt: skip
