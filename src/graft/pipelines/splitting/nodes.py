"""Nodes of the splitting stage."""

from __future__ import annotations

import logging

import pandas as pd

from graft.errors import GraftError
from graft.pipelines.splitting.assignment import assign_splits, find_clusters
from graft.pipelines.splitting.parameters import SplittingParameters

logger = logging.getLogger(__name__)


def split_images(
    image_index: pd.DataFrame, parameters: SplittingParameters
) -> tuple[pd.DataFrame, list[str]]:
    """Divide the usable, labelled pictures into train, dev and test, class by class.

    Returns:
        ``splits``: ``image_id``, ``label``, ``label_index``, ``group``, ``split``, in the order
        of the index. ``class_names``: the labels in alphabetical order; ``label_index`` and every
        vector of probabilities count in it.

    Raises:
        GraftError: If there are fewer than two classes, or a class has too few pictures.
    """
    usable = image_index[(image_index["status"] == "ok") & image_index["label"].notna()]
    class_names = sorted(usable["label"].unique().tolist())
    if len(class_names) < 2:
        raise GraftError(
            "a classifier needs pictures of at least 2 classes; check how the source names "
            f"labels (a folder a class, or a pattern); got {class_names or 'no labels at all'}"
        )
    splits = usable[["image_id", "label", "group"]].reset_index(drop=True)
    label_index = pd.Categorical(splits["label"], categories=class_names).codes.astype("int32")
    splits.insert(2, "label_index", label_index)
    splits["split"] = pd.Series(
        assign_splits(
            splits["label"].to_numpy(),
            find_clusters(usable),
            splits["image_id"].to_numpy(),
            parameters.fractions,
            parameters.seed,
        ),
        dtype="str",
    )
    _log_sizes(splits, parameters)
    return splits, class_names


def _log_sizes(splits: pd.DataFrame, parameters: SplittingParameters) -> None:
    sizes = splits["split"].value_counts()
    listed = " · ".join(f"{name} {sizes[name]:,}" for name in parameters.fractions)
    logger.info("Split        %s (by class, seed %d)", listed, parameters.seed)
