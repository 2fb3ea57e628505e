"""Nodes of the splitting stage, and the gate behind it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pandas as pd

from graft.errors import GraftError
from graft.images.duplicates import link_groups, link_remaining
from graft.pipelines.splitting.assignment import assign_folds, assign_splits, choose_fractions
from graft.pipelines.splitting.given import GivenSplits, keep_given_splits
from graft.pipelines.splitting.parameters import SplittingParameters
from graft.pipelines.splitting.reuse import Settled, recall, settle_clusters
from graft.progress import tell, warn
from graft.sources.split_folders import list_names


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

    Leaks of given splits that somebody has decided to keep are in the table's ``attrs``.

    Raises:
        GraftError: Names the first that does.
    """
    repeated = splits.loc[splits["image_id"].duplicated(), "image_id"]
    if not repeated.empty:
        raise GraftError(
            f"{len(repeated)} pictures stand in splits more than once; each may be in one split "
            f"only; the first is '{repeated.iloc[0]}'"
        )
    for unit in ("group", "cluster") if not splits.attrs.get("kept_leaks") else ():
        sides = splits.dropna(subset=unit).groupby(unit)["split"].nunique()
        leaking = sides[sides > 1]
        if not leaking.empty:
            raise GraftError(
                f"{len(leaking)} {unit}s have pictures in two splits; a {unit} may be in one "
                f"only; the first is '{leaking.index[0]}'"
            )
    return splits


_KEPT = ["image_id", "label", "label_index", "group", "source", "sha256", "cluster"]
# By the first three the next run knows a picture again that was saved anew.
_CONTENT = ["pixel_sha256", "perceptual_hash", "thumbnail", "value_range"]


def split_images(
    image_index: pd.DataFrame,
    image_links: pd.DataFrame,
    previous_splits: pd.DataFrame | None,
    parameters: SplittingParameters,
) -> tuple[pd.DataFrame, list[str], dict[str, Any]]:
    """Divide the usable, labelled pictures into train, dev and test, class by class.

    Copies, look-alikes and groups stay on one side. Pictures that the last run divided stay
    where they were; new ones go where most is lacking. Splits that the pictures were given are
    kept, unless all are to be drawn anew; what is missing is dealt from train.

    Args:
        image_index: As made by ingestion.
        image_links: Its copies and look-alikes in pairs, as found by ingestion.
        previous_splits: ``splits`` of the last run; None before the first.
        parameters: Shares and seed.

    Returns:
        ``splits``: ``image_id``, ``label``, ``label_index``, ``group``, ``source``, ``sha256``,
        ``cluster``, ``weight`` (missing unless the source gives one), ``split``, ``fold`` (-1 in
        test), ``pixel_sha256``, ``perceptual_hash``, ``thumbnail`` and ``value_range``, in the
        order of the index.
        ``class_names``: the labels in alphabetical order; ``label_index`` and every vector of
        probabilities count in it. ``split_check``: what the gate looked at and found.

    Raises:
        GraftError: If there are fewer than two classes, a class has too few pictures, or a pair
            that belongs together stands on two sides.
    """
    usable = image_index[(image_index["status"] == "ok") & image_index["label"].notna()]
    class_names = _list_classes(usable)
    radius = parameters.near_duplicate_radius
    pictures = usable.reset_index(drop=True)
    given = keep_given_splits(pictures, image_links, parameters)
    rules = {"split": parameters.split_rule, "fold": parameters.fold_rule}
    if given is None:
        pictures["previous"] = recall(pictures, previous_splits, "split", rules["split"], radius)
        settled = settle_clusters(pictures, radius)
        pictures = settled.pictures.reset_index(drop=True)
        pictures["split"] = pd.Series(assign_splits(pictures, parameters), dtype="str")
    else:
        rules = {name: {**rule, "given": "keep"} for name, rule in rules.items()}
        settled = _deal_missing(given, previous_splits, rules["split"], parameters)
        pictures = settled.pictures.reset_index(drop=True)
    before, now = (pictures[name].replace("train_dev", "train") for name in ("previous", "split"))
    dealt = pictures.loc[(before == "train") & (now != "train"), "image_id"].tolist()
    codes = pd.Categorical(pictures["label"], categories=class_names).codes
    pictures["label_index"] = codes.astype("int32")
    pictures["previous"] = recall(pictures, previous_splits, "fold", rules["fold"], radius)
    pictures["fold"] = assign_folds(pictures, pictures["split"].to_numpy(), parameters)
    links = link_remaining(image_index, image_links, pictures, radius)
    kept_leaks = given is not None and parameters.given_leaks == "keep" and len(given.leaks)
    check = {"pairs": len(links), "leaking": len(given.leaks)} if given and kept_leaks else (
        refuse_leaks(pictures, links)
    )  # fmt: skip
    for name in ("thumbnail", "value_range"):
        if name not in pictures:
            pictures[name] = pd.Series(None, index=pictures.index, dtype="str")
    pictures["weight"] = pd.to_numeric(pictures["weight"]).astype("float64")
    splits = pictures[[*_KEPT, "weight", "split", "fold", *_CONTENT]]
    splits.attrs = {**rules, **({"kept_leaks": int(kept_leaks)} if kept_leaks else {})}
    found = {**check, "set_aside": settled.set_aside, "moved": settled.moved}
    found["given"] = None if given is None else given.facts
    found["dealt_from_train"] = dealt
    _log_outcome(splits, found, parameters)
    return splits, class_names, found


def _deal_missing(
    given: GivenSplits,
    previous_splits: pd.DataFrame | None,
    rule: dict[str, Any],
    parameters: SplittingParameters,
) -> Settled:
    """Deal the sides that were not given from train; the others stay as they were given."""
    pictures = given.pictures
    sides = ("train", *given.missing)
    is_pool = pictures["given"] == "train"
    pool = pictures[is_pool].reset_index(drop=True)
    before = recall(pool, previous_splits, "split", rule, parameters.near_duplicate_radius)
    pool["previous"] = before.where(before.isin([*sides, "train_dev"]))
    settled = settle_clusters(pool, parameters.near_duplicate_radius)
    known = {*pool["cluster"]}
    pool = settled.pictures.reset_index(drop=True)
    # Clusters that were settled anew get numbers that none of those held has.
    is_new = ~pool["cluster"].isin(known)
    pool.loc[is_new, "cluster"] += pictures["cluster"].max() + 1
    pool["split"] = pd.Series(assign_splits(pool, parameters, sides), dtype="str")
    held = pictures[~is_pool].assign(split=pictures.loc[~is_pool, "given"])
    joined = pd.concat([pool, held], ignore_index=True)
    _refuse_untaught_classes(joined)
    order = {name: at for at, name in enumerate(pictures["image_id"])}
    joined = joined.sort_values("image_id", key=lambda names: names.map(order), ignore_index=True)
    return replace(settled, pictures=joined)


def _refuse_untaught_classes(pictures: pd.DataFrame) -> None:
    """Refuse a class that is measured and never shown; tell of classes that are not measured."""
    labels = {side: {*rows["label"]} for side, rows in pictures.groupby("split")}
    known = labels.get("train", set()) | labels.get("train_dev", set())
    untaught = sorted({*pictures["label"]} - known)
    if untaught:
        raise GraftError(
            f"{len(untaught):,} classes of the given splits have no picture in train; leave them "
            "out with --params ingestion.exclude_classes=NAME, or divide all pictures anew with "
            f"splitting.given=redraw; got {list_names(untaught)}"
        )
    for side in ("dev", "test"):
        if absent := sorted(known - labels.get(side, set())):
            warn(
                "Given", "%s has no picture of %s of the classes: %s",
                side, f"{len(absent):,}", list_names(absent),
            )  # fmt: skip


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
    if splits.attrs.get("split", {}).get("given") == "keep":
        # Nobody has asked for shares: a class may be compared with all of them.
        wanted = {name: float((sides == name).mean()) for name in wanted}
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
    tell("Split", "%s (by class, seed %d)", listed, parameters.seed)
    clusters = splits["cluster"].value_counts()
    together = clusters[clusters > 1]
    if len(together):
        tell(
            "Together", "%s pictures in %s groups or sets of copies, each on one side",
            f"{together.sum():,}", f"{len(together):,}",
        )  # fmt: skip
    if check["set_aside"]:
        tell(
            "Set aside", "%s: new, and alike to pictures on two sides; first '%s'",
            f"{len(check['set_aside']):,}", check["set_aside"][0],
        )  # fmt: skip
    if check["dealt_from_train"]:
        tell(
            "Dealt", "%s of train: of their classes dev or test had nothing left; first '%s'",
            f"{len(check['dealt_from_train']):,}", check["dealt_from_train"][0],
        )  # fmt: skip
    if check["moved"]:
        tell(
            "Moved", "%s to another side: their groups have changed; first '%s'",
            f"{len(check['moved']):,}", check["moved"][0],
        )  # fmt: skip
