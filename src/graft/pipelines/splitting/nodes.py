"""Nodes of the splitting stage, and the gate behind it."""

from __future__ import annotations

import logging
from typing import Any

import pandas as pd

from graft.errors import GraftError
from graft.images.duplicates import link_groups, link_remaining
from graft.pipelines.splitting.assignment import assign_folds, assign_splits, choose_fractions
from graft.pipelines.splitting.parameters import SplittingParameters
from graft.pipelines.splitting.reuse import recall, settle_clusters

logger = logging.getLogger(__name__)


def refuse_leaks(pictures: pd.DataFrame, links: pd.DataFrame) -> dict[str, int]:
    """Compare the sides of pairs of pictures that belong together.

    It looks at pairs, not at the clusters by which the pictures were divided.

    Args:
        pictures: Columns ``image_id``, ``split`` and ``group``.
        links: Of :func:`~graft.images.duplicates.find_links` over the same rows.

    Returns:
        ``pairs`` that were looked at (of many pictures that belong together, enough to hold
        them together), and ``leaking``: 0.

    Raises:
        GraftError: Names the first pair that stands on two sides, and why it belongs together.
    """
    pairs = pd.concat([link_groups(pictures), links], ignore_index=True)
    sides = pictures["split"].to_numpy()
    leaking = pairs[sides[pairs["left"]] != sides[pairs["right"]]]
    if not leaking.empty:
        pair = leaking.iloc[0]
        first, second = (pictures.iloc[pair[end]] for end in ("left", "right"))
        raise GraftError(
            f"{len(leaking):,} pairs of pictures that belong together stand on two sides of the "
            f"split; the first is '{first['image_id']}' ({first['split']}) and "
            f"'{second['image_id']}' ({second['split']}): {pair['kind']}"
        )
    return {"pairs": len(pairs), "leaking": 0}


def refuse_leaking_splits(splits: pd.DataFrame) -> pd.DataFrame:
    """Let ``splits`` pass only if no picture, group or cluster stands on two sides.

    Raises:
        GraftError: Names the first that does.
    """
    repeated = splits.loc[splits["image_id"].duplicated(), "image_id"]
    if not repeated.empty:
        raise GraftError(
            f"{len(repeated)} pictures stand in splits more than once; each may be in one split "
            f"only; the first is '{repeated.iloc[0]}'"
        )
    for unit in ("group", "cluster"):
        sides = splits.dropna(subset=unit).groupby(unit)["split"].nunique()
        leaking = sides[sides > 1]
        if not leaking.empty:
            raise GraftError(
                f"{len(leaking)} {unit}s have pictures in two splits; a {unit} may be in one "
                f"only; the first is '{leaking.index[0]}'"
            )
    return splits


_KEPT = ["image_id", "label", "label_index", "group", "source", "sha256", "cluster"]


def split_images(
    image_index: pd.DataFrame,
    image_links: pd.DataFrame,
    previous_splits: pd.DataFrame | None,
    parameters: SplittingParameters,
) -> tuple[pd.DataFrame, list[str], dict[str, Any]]:
    """Divide the usable, labelled pictures into train, dev and test, class by class.

    Copies, look-alikes and groups stay on one side. Pictures that the last run divided stay
    where they were; new ones go where most is lacking.

    Args:
        image_index: As made by ingestion.
        image_links: Its copies and look-alikes in pairs, as found by ingestion.
        previous_splits: ``splits`` of the last run; None before the first.
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
    pictures["previous"] = recall(pictures, previous_splits, "split", parameters.split_rule)
    settled = settle_clusters(pictures, parameters.near_duplicate_radius)
    pictures = settled.pictures.reset_index(drop=True)
    codes = pd.Categorical(pictures["label"], categories=class_names).codes
    pictures["label_index"] = codes.astype("int32")
    pictures["split"] = pd.Series(assign_splits(pictures, parameters), dtype="str")
    pictures["previous"] = recall(pictures, previous_splits, "fold", parameters.fold_rule)
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
