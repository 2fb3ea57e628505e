"""Assigning pictures to splits: stratified, seeded, and never a cluster on two sides."""

from __future__ import annotations

import hashlib
import itertools
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from graft.errors import GraftError
from graft.pipelines.splitting.parameters import SplittingParameters


def choose_fractions(count: int, parameters: SplittingParameters) -> dict[str, float]:
    """Shares of train, dev and test for so many pictures.

    A dev set must be large enough to tell two models apart, which is a number of pictures, not
    a share of them (A. Ng, "Machine Learning Yearning", 2018, chapter 7). So the shares hold up
    to ``few`` pictures and then fall with a power of their number, to ``held_out_of_many``.

    Examples:
        With 60/20/20 up to 10,000 pictures and 98/1/1 from 1,000,000, 100,000 pictures are
        divided 91/4.5/4.5.
    """
    progress = (math.log(max(count, 1)) - math.log(parameters.few)) / (
        math.log(parameters.many) - math.log(parameters.few)
    )
    progress = min(max(progress, 0.0), 1.0)
    dev, test = (
        share * (min(parameters.held_out_of_many, share) / share) ** progress
        for share in (parameters.dev, parameters.test)
    )
    return {"train": 1 - dev - test, "dev": dev, "test": test}


NOT_PLACED = -1


def deal_units(
    units: pd.DataFrame, shares: Mapping[Any, float], salt: str, fill_all: bool
) -> pd.Series:
    """Give every unit a split, class by class.

    Within a class the units come in the order of a salted hash of their key, which does not
    depend on the order or the names of the files; each goes to the split that lacks most
    pictures. Units that have a split already keep it.

    Args:
        units: A row a unit: ``label``, ``size`` (pictures), ``key`` (text) and ``previous``, the
            split that it has already, or missing.
        shares: Share of each split, by its name or number; they sum to 1.
        salt: Another salt makes another order.
        fill_all: Whether every split must get a unit of every class.

    Returns:
        Split of every row of ``units``.

    Raises:
        GraftError: If a class has fewer units than there are splits to fill.
    """
    names = np.array(list(shares))
    wanted = np.array(list(shares.values()))
    order = pd.Series([_hash(salt, key) for key in units["key"]], index=units.index)
    codes = pd.Index(names).get_indexer(units["previous"]).astype(np.int64)
    places = pd.Series(codes, index=units.index)
    carried = np.zeros(len(shares))
    for label, members in order.sort_values().groupby(units["label"], sort=True):
        rows = members.index
        sizes = units.loc[rows, "size"].to_numpy()
        if fill_all and len(rows) < len(shares):
            pictures = units["of_class"][rows[0]] if "of_class" in units else sizes.sum()
            _refuse_small_class(str(label), int(pictures), len(rows), names)
        # What rounding took from a split in one class, the next class gives back.
        goals = carried + wanted * sizes.sum()
        before = places.loc[rows].to_numpy()
        if fill_all:
            before = free_for_empty(before, len(shares))
        placed = fill_splits(sizes, before, goals, fill_all)
        places.loc[rows] = placed
        got = np.bincount(placed, weights=sizes, minlength=len(shares))
        carried = np.clip(goals - got, -1, 1)
    return pd.Series(names[places], index=units.index)


def free_for_empty(places: np.ndarray, splits: int) -> np.ndarray:
    """Let the first split give units to those that have lost all of theirs.

    Whoever deletes the test pictures of a class leaves it without a test, and its others placed:
    what is missing is then dealt from train.

    Args:
        places: Split number of every unit of a class, or ``NOT_PLACED``, int (m,), in the order in
            which they are dealt out.
        splits: Number of splits; 0 is train.

    Returns:
        As ``places``; where there are fewer free units than empty splits, all of train are free.
    """
    empty = splits - len({*places.tolist()} - {NOT_PLACED})
    if (places == NOT_PLACED).sum() >= empty:
        return places
    return np.where(places == 0, NOT_PLACED, places)


def fill_splits(
    sizes: np.ndarray, places: np.ndarray, goals: np.ndarray, fill_all: bool
) -> np.ndarray:
    """Put units one by one where most is lacking, then even out what large units unbalanced.

    Args:
        sizes: Pictures in each unit, int (m,), in the order in which they are dealt out.
        places: Split number of units that have one already, else ``NOT_PLACED``, int (m,).
        goals: Pictures that each split should get, float (s,).
        fill_all: Whether no split may stay empty; then s ≤ m.

    Returns:
        Split number of every unit, int (m,). With units of one picture, none placed before,
        every split gets its goal to within one picture, if no goal is below one.
    """
    splits = range(len(goals))
    lacking, units_in = goals.tolist(), [0] * len(goals)
    placed = places.tolist()
    for unit, split in enumerate(placed):
        if split != NOT_PLACED:
            lacking[split] -= sizes[unit]
            units_in[split] += 1
    free = [unit for unit, split in enumerate(placed) if split == NOT_PLACED]
    for remaining, unit in zip(range(len(free), 0, -1), free, strict=True):
        empty = [split for split in splits if not units_in[split]] if fill_all else []
        candidates = empty if empty and remaining <= len(empty) else splits
        split = max(candidates, key=lacking.__getitem__)
        lacking[split] -= sizes[unit]
        units_in[split] += 1
        placed[unit] = split
    return even_out(sizes, np.array(placed), goals, np.array(free, dtype=np.int64))


def even_out(
    sizes: np.ndarray, placed: np.ndarray, goals: np.ndarray, free: np.ndarray
) -> np.ndarray:
    """Move single units from the fullest to the emptiest split while that brings both nearer.

    Args:
        sizes: Pictures in each unit, int (m,).
        placed: Split number of every unit, int (m,).
        goals: Pictures that each split should get, float (s,).
        free: Numbers of the units that may be moved.

    Returns:
        Split number of every unit, int (m,). No split loses its last unit.
    """
    placed = placed.copy()
    lacking = goals - np.bincount(placed, weights=sizes, minlength=len(goals))
    while True:
        source, target = int(lacking.argmin()), int(lacking.argmax())
        gap = lacking[target] - lacking[source]
        units = free[placed[free] == source]
        units = units[sizes[units] < gap - 1e-9]
        if not len(units) or (placed == source).sum() == 1:
            return placed
        unit = units[np.abs(sizes[units] - gap / 2).argmin()]
        placed[unit] = target
        lacking[source] += sizes[unit]
        lacking[target] -= sizes[unit]


def _hash(salt: str, key: str) -> str:
    return hashlib.sha256(f"{salt}:{key}".encode()).hexdigest()


def _refuse_small_class(label: str, pictures: int, units: int, names: np.ndarray) -> None:
    raise GraftError(
        f"class '{label}' is too small to split: its {pictures} usable pictures are {units} that "
        f"are not tied to others by copies, looks or groups; every class needs {len(names)}, one "
        f"each for {', '.join(names)}; add pictures or leave the class out with --params "
        f"ingestion.exclude_classes={label} or ingestion.min_class_size; if they only look alike, "
        "near_duplicate_radius=null unties them"
    )


SIDES = ("train", "dev", "test")


def assign_splits(
    pictures: pd.DataFrame, parameters: SplittingParameters, sides: Sequence[str] = SIDES
) -> np.ndarray:
    """Give every picture a split.

    With a target source, dev and test are drawn from clusters of that source alone, by their
    share of its pictures; all others are for train, of which a part is held out as train_dev.

    Args:
        pictures: Columns ``label``, ``source``, ``cluster``, ``sha256`` and ``previous``.
        parameters: Shares, target source and seed.
        sides: Those that are dealt, ``train`` among them; their shares hold among them.

    Returns:
        Name of the split of every picture, str (n,).

    Raises:
        GraftError: If there is no picture of the target source, or a class has too few clusters.
    """
    units = summarise_clusters(pictures, parameters.target_source)
    eligible = units["eligible"]
    if not eligible.any():
        known = ", ".join(sorted(pictures["source"].dropna().unique())) or "no source at all"
        raise GraftError(
            f"no picture is of the source that the model is meant for; the pictures have {known}; "
            f"got splitting.target_source='{parameters.target_source}'"
        )
    fractions = choose_fractions(int(units.loc[eligible, "size"].sum()), parameters)
    total = sum(fractions[side] for side in sides)
    shares = {side: fractions[side] / total for side in fractions if side in sides}
    salt = str(parameters.seed)
    as_train = units.assign(previous=units["previous"].replace("train_dev", "train"))
    split = pd.Series("train", index=units.index, dtype="str")
    split[eligible] = deal_units(as_train[eligible], shares, salt, fill_all=True)
    if parameters.target_source is not None:
        learning = split == "train"
        previous = units["previous"].where(units["previous"].isin(["train", "train_dev"]))
        parts = {"train": 1 - parameters.train_dev, "train_dev": parameters.train_dev}
        split[learning] = deal_units(
            units.assign(previous=previous)[learning], parts, f"train_dev {salt}", fill_all=False
        )
    splits = pictures["cluster"].map(split).to_numpy()
    labels = pictures[pictures["cluster"].map(eligible)]["label"]
    _refuse_missing_class(labels, splits, pictures, sides)
    return splits


def assign_folds(
    pictures: pd.DataFrame, splits: np.ndarray, parameters: SplittingParameters
) -> np.ndarray:
    """Give every picture outside test one of k folds, for cross-validation.

    Args:
        pictures: Columns ``label``, ``source``, ``cluster``, ``sha256`` and ``previous``, here the
            fold that it had.
        splits: Name of the split of every picture.
        parameters: Number of folds and seed.

    Returns:
        Fold of every picture, from 0, int8 (n,); -1 in test.
    """
    used = splits != "test"
    units = summarise_clusters(pictures[used], None)
    shares = dict.fromkeys(range(parameters.folds), 1 / parameters.folds)
    folds = deal_units(units, shares, f"fold {parameters.seed}", fill_all=False)
    numbers = np.full(len(pictures), -1, dtype=np.int8)
    numbers[used] = pictures.loc[used, "cluster"].map(folds)
    return numbers


def summarise_clusters(pictures: pd.DataFrame, target_source: str | None) -> pd.DataFrame:
    """A row a cluster, in which it counts for the class most frequent in it.

    Returns:
        Indexed by cluster: ``label``, ``size`` (pictures), ``key`` (the smallest SHA-256 in it:
        the same under any file name), ``previous``, ``eligible`` (all of the target source) and
        ``of_class`` (pictures of that label, in whatever cluster).
    """
    votes = pictures.groupby(["cluster", "label"]).size().rename("votes").reset_index()
    votes = votes.sort_values(["votes", "label"], ascending=[False, True])
    is_target = pictures["source"].eq(target_source) if target_source is not None else True
    units = (
        pictures.assign(eligible=is_target)
        .groupby("cluster")
        .agg(
            size=("label", "size"),
            key=("sha256", "min"),
            previous=("previous", "first"),
            eligible=("eligible", "all"),
        )
    )
    units["label"] = votes.drop_duplicates("cluster").set_index("cluster")["label"]
    units["of_class"] = units["label"].map(pictures["label"].value_counts())
    return units


def _refuse_missing_class(
    eligible_labels: pd.Series, splits: np.ndarray, pictures: pd.DataFrame, sides: Sequence[str]
) -> None:
    present = set(zip(pictures["label"], splits, strict=True))
    for label, split in itertools.product(eligible_labels.unique(), sides):
        if (label, split) not in present:
            raise GraftError(
                f"class '{label}' is too small to split: it has no picture in {split}, for those "
                "it has are tied to pictures of other classes or were divided before; add "
                "pictures, make smaller groups or leave the class out"
            )
