"""Nodes of the evaluation stage that set the models beside each other."""

from __future__ import annotations

import logging
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd

from graft.analysis.comparison import compare_classifiers
from graft.analysis.predictions import get_probabilities
from graft.pipelines.evaluation.parameters import EvaluationParameters
from graft.pipelines.evaluation.shown import select_shown

logger = logging.getLogger(__name__)


def compare_models(
    predictions: pd.DataFrame,
    chosen_predictions: pd.DataFrame,
    metrics: dict[str, Any],
    splits: pd.DataFrame,
    class_names: list[str],
    parameters: EvaluationParameters,
    *costs: dict[str, Any],
    names: list[str],
) -> dict[str, Any]:
    """Compare all models with each other, picture by picture, on dev.

    Verdicts and advice come from dev; on test figures are only shown.

    Returns:
        ``comparison``: ``confidence``; ``chosen``, the model chosen on dev; ``models``: model →
        its figures on ``dev`` and on ``test`` (None unless shown) and its ``cost``; ``pairs``: for
        any two models ``first``, ``second`` and, for ``dev`` and ``test`` (None unless both are
        shown), what :func:`graft.analysis.comparison.compare_classifiers` gives. No pair with a
        single model.
    """
    shown = select_shown(predictions, chosen_predictions, parameters)
    pairs = [
        _compare_pair(shown, pair, splits, class_names, parameters)
        for pair in combinations(names, 2)
    ]
    for pair in pairs:
        _tell_pair(pair)
    return {
        "confidence": parameters.confidence,
        "chosen": str(chosen_predictions["model"].iloc[0]),
        "models": {
            name: {
                **{split: metrics[name].get(split) for split in ("dev", "test")},
                "cost": cost,
            }
            for name, cost in zip(names, costs, strict=True)
        },
        "pairs": pairs,
    }


def _compare_pair(
    predictions: pd.DataFrame,
    pair: tuple[str, str],
    splits: pd.DataFrame,
    class_names: list[str],
    parameters: EvaluationParameters,
) -> dict[str, Any]:
    cluster_of = splits.set_index("image_id")["cluster"]
    found: dict[str, Any] = {"first": pair[0], "second": pair[1]}
    for split in ("dev", "test"):
        rows = predictions[predictions["split"] == split]
        if not set(pair) <= set(rows["model"]):
            found[split] = None
            continue
        first, second = (rows[rows["model"] == model].set_index("image_id") for model in pair)
        second = second.loc[first.index]
        labels = pd.Categorical(first["label"], categories=class_names).codes.astype(np.int64)
        found[split] = compare_classifiers(
            labels,
            get_probabilities(first),
            get_probabilities(second),
            parameters.bootstrap_draws,
            parameters.confidence,
            parameters.seed,
            cluster_of.loc[first.index].to_numpy(),
        )
    return found


def _tell_pair(pair: dict[str, Any]) -> None:
    found = pair["dev"]
    logger.info(
        "Compared     %s against %s on dev: %s",
        *(pair[place].replace("_", "-") for place in ("second", "first")),
        found["verdict"],
    )
    logger.info(
        "             accuracy %+.1f points (%+.1f to %+.1f), p = %.2g",
        *(100 * found["accuracy"][name] for name in ("value", "low", "high")),
        found["p_value"],
    )
