"""Assigning pictures to splits: stratified, seeded, and never a cluster on two sides."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd

from graft.errors import GraftError
from graft.pipelines.splitting.dealing import deal_units
from graft.pipelines.splitting.fractions import choose_fractions
from graft.pipelines.splitting.parameters import SplittingParameters


def assign_splits(pictures: pd.DataFrame, parameters: SplittingParameters) -> np.ndarray:
    """Give every picture a split.

    With a target source, dev and test are drawn from clusters of that source alone, by their
    share of its pictures; all others are for train, of which a part is held out as train_dev.

    Args:
        pictures: Columns ``label``, ``source``, ``cluster``, ``sha256`` and ``former``.
        parameters: Shares, target source and seed.

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
    shares = choose_fractions(int(units.loc[eligible, "size"].sum()), parameters)
    salt = str(parameters.seed)
    as_train = units.assign(former=units["former"].replace("train_dev", "train"))
    split = pd.Series("train", index=units.index, dtype="str")
    split[eligible] = deal_units(as_train[eligible], shares, salt, fill_all=True)
    if parameters.target_source is not None:
        learning = split == "train"
        former = units["former"].where(units["former"].isin(["train", "train_dev"]))
        parts = {"train": 1 - parameters.train_dev, "train_dev": parameters.train_dev}
        split[learning] = deal_units(
            units.assign(former=former)[learning], parts, f"train_dev {salt}", fill_all=False
        )
    splits = pictures["cluster"].map(split).to_numpy()
    _refuse_missing_class(pictures[pictures["cluster"].map(eligible)]["label"], splits, pictures)
    return splits


def assign_folds(
    pictures: pd.DataFrame, splits: np.ndarray, parameters: SplittingParameters
) -> np.ndarray:
    """Give every picture outside test one of k folds, for cross-validation.

    Args:
        pictures: Columns ``label``, ``source``, ``cluster``, ``sha256`` and ``former``, here the
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
        the same under any file name), ``former`` and ``eligible`` (all of the target source).
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
            former=("former", "first"),
            eligible=("eligible", "all"),
        )
    )
    units["label"] = votes.drop_duplicates("cluster").set_index("cluster")["label"]
    return units


def _refuse_missing_class(
    eligible_labels: pd.Series, splits: np.ndarray, pictures: pd.DataFrame
) -> None:
    present = set(zip(pictures["label"], splits, strict=True))
    for label, split in itertools.product(eligible_labels.unique(), ("train", "dev", "test")):
        if (label, split) not in present:
            raise GraftError(
                f"class '{label}' is too small to split: it has no picture in {split}, for those "
                "it has are tied to pictures of other classes or were divided before; add "
                "pictures, make smaller groups or leave the class out"
            )
