"""The node that measures what keeping copies and groups together is worth."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
import pandas as pd

from graft.datasets.features import FeatureTable
from graft.pipelines.evaluation.parameters import EvaluationParameters
from graft.scores.flattery import measure_flattery

# With fewer pictures that belong together no split can flatter by a figure that anybody reads.
_LEAST_SHARE = 0.01
logger = logging.getLogger(__name__)


def compare_with_random_split(
    features: FeatureTable, splits: pd.DataFrame, parameters: EvaluationParameters
) -> dict[str, Any]:
    """Measure how much a plain random split would have flattered the result.

    Returns:
        ``flattery``: ``clusters`` and ``together``: how many clusters of more than one picture,
        and pictures in them, are in train and test. If they are one picture in a hundred or
        more, ``measured``: see :func:`~graft.scores.flattery.measure_flattery`; at most
        ``flattery_pictures`` pictures, in whole clusters.
    """
    pictures = splits[splits["split"].isin(["train", "test"])]
    sizes = pictures["cluster"].map(pictures["cluster"].value_counts())
    found: dict[str, Any] = {
        "clusters": int(pictures.loc[sizes > 1, "cluster"].nunique()),
        "together": int((sizes > 1).sum()),
        "measured": None,
    }
    if found["together"] < _LEAST_SHARE * len(pictures) or not found["clusters"]:
        return found
    pictures = _sample_clusters(pictures, parameters.flattery_pictures, parameters.seed)
    found["measured"] = measured = measure_flattery(
        _read_features(features, pictures["image_id"]),
        pictures["label_index"].to_numpy(),
        pictures["cluster"].to_numpy(),
        (pictures["split"] == "test").to_numpy(),
        parameters.flattery_draws,
        parameters.confidence,
        parameters.seed,
    )
    logger.info(
        "Flattery     a random split would show %.3f, this one shows %.3f (same features)",
        measured["random"]["value"],
        measured["together"]["value"],
    )
    return found


def _sample_clusters(pictures: pd.DataFrame, limit: int, seed: int) -> pd.DataFrame:
    """Whole clusters in random order, up to about so many pictures."""
    clusters = pictures["cluster"].unique()
    order = np.random.default_rng(seed).permutation(clusters)
    sizes = pictures["cluster"].value_counts().loc[order].cumsum()
    return pictures[pictures["cluster"].isin(sizes.index[sizes <= max(limit, sizes.iloc[0])])]


def _read_features(features: FeatureTable, image_ids: pd.Series) -> np.ndarray:
    """Features (n, D), float32, of the unaugmented pictures in the order of ``image_ids``."""
    keys = features.keys
    rows = keys[keys["view"] == 0].reset_index().set_index("image_id")["index"].loc[image_ids]
    place = np.full(len(keys), -1)
    place[rows.to_numpy()] = np.arange(len(rows))
    wanted = np.empty((len(rows), features.dimension), np.float32)
    for span, block in features.read_blocks():
        places = place[span]
        wanted[places[places >= 0]] = block[places >= 0]
    return wanted
