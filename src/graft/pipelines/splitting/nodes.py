"""Nodes of the splitting stage."""

from __future__ import annotations

import logging
from typing import Any

import pandas as pd

from graft.errors import GraftError
from graft.images.duplicates import link_remaining
from graft.pipelines.splitting.assignment import assign_folds, assign_splits
from graft.pipelines.splitting.former import recall, settle_clusters
from graft.pipelines.splitting.fractions import choose_fractions
from graft.pipelines.splitting.leaks import refuse_leaks
from graft.pipelines.splitting.parameters import SplittingParameters

_KEPT = ["image_id", "label", "label_index", "group", "source", "sha256", "cluster"]
logger = logging.getLogger(__name__)


def split_images(
    image_index: pd.DataFrame,
    image_links: pd.DataFrame,
    former_splits: pd.DataFrame | None,
    parameters: SplittingParameters,
) -> tuple[pd.DataFrame, list[str], dict[str, Any]]:
    """Divide the usable, labelled pictures into train, dev and test, class by class.

    Copies, look-alikes and groups stay on one side. Pictures that the last run divided stay
    where they were; new ones go where most is lacking.

    Args:
        image_index: As made by ingestion.
        image_links: Its copies and look-alikes in pairs, as found by ingestion.
        former_splits: ``splits`` of the last run; None before the first.
        parameters: Shares and seed.

    Returns:
        ``splits``: ``image_id``, ``label``, ``label_index``, ``group``, ``source``, ``sha256``,
        ``cluster``, ``weight`` (missing unless the source gives one), ``split`` and ``fold`` (-1
        in test), in the order of the index.
        ``class_names``: the labels in alphabetical order; ``label_index`` and every vector of
        probabilities count in it. ``split_check``: what the gate looked at and found.

    Raises:
        GraftError: If there are fewer than two classes, a class has too few pictures, or a pair
            that belongs together stands on two sides.
    """
    usable = image_index[(image_index["status"] == "ok") & image_index["label"].notna()]
    class_names = _list_classes(usable)
    pictures = usable.reset_index(drop=True)
    pictures["former"] = recall(pictures, former_splits, "split", parameters.split_rule)
    settled = settle_clusters(pictures, parameters.near_duplicate_radius)
    pictures = settled.pictures.reset_index(drop=True)
    codes = pd.Categorical(pictures["label"], categories=class_names).codes
    pictures["label_index"] = codes.astype("int32")
    pictures["split"] = pd.Series(assign_splits(pictures, parameters), dtype="str")
    pictures["former"] = recall(pictures, former_splits, "fold", parameters.fold_rule)
    pictures["fold"] = assign_folds(pictures, pictures["split"].to_numpy(), parameters)
    radius = parameters.near_duplicate_radius
    check = refuse_leaks(pictures, link_remaining(image_index, image_links, pictures, radius))
    pictures["weight"] = pd.to_numeric(pictures["weight"]).astype("float64")
    splits = pictures[[*_KEPT, "weight", "split", "fold"]]
    splits.attrs = {"split": parameters.split_rule, "fold": parameters.fold_rule}
    found = {**check, "set_aside": settled.set_aside, "moved": settled.moved}
    _log_outcome(splits, found, parameters)
    return splits, class_names, found


def summarise_splits(splits: pd.DataFrame, parameters: SplittingParameters) -> pd.DataFrame:
    """Count every class in every split and compare with what was wanted.

    Returns:
        ``split_summary``: ``label``, ``split``, ``pictures``, ``share`` (of the class, of the
        target source if there is one), ``wanted`` and ``deviation``, in percentage points.
    """
    target = parameters.target_source
    drawn = splits if target is None else splits[splits["source"] == target]
    wanted = choose_fractions(len(drawn), parameters)
    sides = drawn["split"].replace("train_dev", "train")
    table = pd.crosstab(drawn["label"], sides).reindex(columns=list(wanted), fill_value=0)
    summary = table.reset_index().melt("label", var_name="split", value_name="pictures")
    summary = summary.sort_values("label", kind="stable", ignore_index=True)
    sizes = summary.groupby("label")["pictures"].transform("sum")
    summary["share"] = (summary["pictures"] / sizes).round(6)
    summary["wanted"] = summary["split"].map(wanted).astype("float64").round(6)
    summary["deviation"] = (100 * (summary["share"] - summary["wanted"])).round(4)
    return summary


def _list_classes(usable: pd.DataFrame) -> list[str]:
    class_names = sorted(usable["label"].unique().tolist())
    if len(class_names) < 2:
        raise GraftError(
            "a classifier needs pictures of at least 2 classes; check how the source names "
            f"labels (a folder a class, or a pattern); got {class_names or 'no labels at all'}"
        )
    return class_names


def _log_outcome(
    splits: pd.DataFrame, check: dict[str, Any], parameters: SplittingParameters
) -> None:
    sizes = splits["split"].value_counts()
    names = [name for name in ("train", "train_dev", "dev", "test") if name in sizes]
    listed = " · ".join(f"{name} {sizes[name]:,}" for name in names)
    logger.info("Split        %s (by class, seed %d)", listed, parameters.seed)
    clusters = splits["cluster"].value_counts()
    together = clusters[clusters > 1]
    if len(together):
        logger.info(
            "Together     %s pictures in %s groups or sets of copies, each on one side",
            f"{together.sum():,}", f"{len(together):,}",
        )  # fmt: skip
    if check["set_aside"]:
        logger.info(
            "Set aside    %s: new, and alike to pictures on two sides; first '%s'",
            f"{len(check['set_aside']):,}", check["set_aside"][0],
        )  # fmt: skip
    if check["moved"]:
        logger.info(
            "Moved        %s to another side: their groups have changed; first '%s'",
            f"{len(check['moved']):,}", check["moved"][0],
        )  # fmt: skip
