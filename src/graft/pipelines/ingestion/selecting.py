"""Which pictures of a source count, and names of classes that may mean one class."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import replace
from fnmatch import fnmatchcase

import pandas as pd

from graft.errors import GraftError
from graft.images.checking import OK, QUARANTINED
from graft.pipelines.ingestion.parameters import IngestionParameters
from graft.progress import tell, warn
from graft.sources.source import ImageSource
from graft.sources.split_folders import list_names

# What libraries write for a label that is not there. They stay classes: it is told.
_NO_NAMES = {"nan", "none", "null", "n/a"}


def select_pictures(source: ImageSource, parameters: IngestionParameters) -> ImageSource:
    """The pictures that the patterns take, with the names of their classes.

    Args:
        source: All pictures.
        parameters: Patterns, and whether classes of similar names are merged.

    Raises:
        GraftError: If no picture is left.
    """
    records = source.records
    labels, names = records["label"], records["image_id"]
    is_in = pd.Series(data=True, index=records.index)
    for column, include, exclude in (
        (labels, parameters.include_classes, parameters.exclude_classes),
        (names, parameters.include_files, parameters.exclude_files),
    ):
        if include:
            is_in &= _match(column, include)
        if exclude:
            is_in &= ~_match(column, exclude)
    if not is_in.any():
        raise GraftError(
            f"the patterns of include and exclude leave none of {len(records):,} pictures; the "
            f"classes are {list_names({*labels.dropna()}) or 'none'}; got "
            f"include {parameters.include_classes + parameters.include_files}, "
            f"exclude {parameters.exclude_classes + parameters.exclude_files}"
        )
    if not is_in.all():
        gone = sorted({*labels.dropna()} - {*labels[is_in].dropna()})
        classes = f", with them all of {list_names(gone)}" if gone else ""
        tell("Selected", "%s of %s pictures%s", f"{is_in.sum():,}", f"{len(records):,}", classes)
        records = records[is_in].reset_index(drop=True)
    merged = _settle_names(records["label"], parameters.merge_similar_names)
    return replace(source, records=records.assign(label=merged))


def _match(column: pd.Series, patterns: Sequence[str]) -> pd.Series:
    def is_meant(value: object) -> bool:
        return isinstance(value, str) and any(fnmatchcase(value, one) for one in patterns)

    found = {value: is_meant(value) for value in column.dropna().unique()}
    return column.map(found).fillna(value=False).astype(bool)


def find_similar_names(names: Sequence[str]) -> list[list[str]]:
    """Names that differ in capitals, in spaces around or in how a number is written alone.

    Examples:
        >>> find_similar_names(["Cat", "cat", "dog ", "dog", "0", "0.0", "owl"])
        [['0', '0.0'], ['Cat', 'cat'], ['dog', 'dog ']]
    """
    groups: dict[str, list[str]] = {}
    for name in sorted(names):
        key = " ".join(unicodedata.normalize("NFKC", name).casefold().split())
        if re.fullmatch(r"[+-]?[0-9]+(\.[0-9]*)?", key):
            key = repr(float(key))
        groups.setdefault(key, []).append(name)
    return [group for group in groups.values() if len(group) > 1]


def _settle_names(labels: pd.Series, merge: bool) -> pd.Series:
    counts = labels.value_counts()
    groups = find_similar_names([str(name) for name in counts.index])
    told = "; ".join(list_names(group) for group in groups[:4])
    told += f"; and {len(groups) - 4:,} more" if len(groups) > 4 else ""
    if groups and not merge:
        warn(
            "Class names", "%s: may each be one class; --params ingestion.merge_similar_names=true "
            "makes them one", told,
        )  # fmt: skip
    elif groups:
        tell("Class names", "merged: %s", told)
        # The spelling of most pictures; of as many the first.
        best = {name: max(group, key=lambda one: counts[one]) for group in groups for name in group}
        labels = labels.map(lambda name: best.get(name, name), na_action="ignore").astype("str")
    if unsaid := sorted(name for name in counts.index if str(name).casefold() in _NO_NAMES):
        warn(
            "Class names", "%s: may mean that there is no label; --params "
            "ingestion.exclude_classes=%s leaves the pictures out", list_names(unsaid), unsaid[0],
        )  # fmt: skip
    return labels


def set_small_classes_apart(index: pd.DataFrame, min_class_size: int) -> pd.DataFrame:
    """Quarantine the pictures of classes with fewer usable ones than asked for."""
    usable = index[index["status"] == OK]
    counts = usable["label"].value_counts()
    small = counts[counts < min_class_size]
    if small.empty:
        return index
    rows = (index["status"] == OK) & index["label"].isin(small.index)
    reason = f"of a class with fewer usable pictures than the {min_class_size:,} of min_class_size"
    tell("Too small", "classes with fewer than %s: %s", f"{min_class_size:,}",
                list_names(small.index))  # fmt: skip
    index = index.copy()
    index.loc[rows, "status"] = QUARANTINED
    index.loc[rows, "reason"] = reason
    return index


def tell_of_lost_classes(index: pd.DataFrame) -> None:
    """Name classes that were declared and of which no picture can be used."""
    usable = {*index.loc[index["status"] == OK, "label"].dropna()}
    lost = index[index["label"].notna() & ~index["label"].isin(usable)]
    firsts = lost.drop_duplicates("label").sort_values("label")
    for row in firsts.head(4).itertuples(index=False):
        count = int((lost["label"] == row.label).sum())
        warn(
            "No picture", "of class '%s' can be used: %s set apart, first '%s' (%s)",
            row.label, f"{count:,}", row.image_id, row.reason,
        )  # fmt: skip
    if len(firsts) > 4:
        warn("No picture", "of %s more classes can be used", f"{len(firsts) - 4:,}")
