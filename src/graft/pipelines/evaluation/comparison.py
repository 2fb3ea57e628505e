"""Nodes of the evaluation stage that set the models beside each other."""

from __future__ import annotations

import logging
from itertools import combinations
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd

from graft.datasets.keras_model import KerasModelDataset
from graft.pipelines.evaluation.nodes import get_probabilities
from graft.pipelines.evaluation.parameters import EvaluationParameters
from graft.pipelines.evaluation.shown import select_shown
from graft.scores.comparison import compare_classifiers
from graft.types import KerasModel

# From the one with least of transfer learning to the one with most.
_ORDER = ("from_scratch", "frozen", "fine_tuned")
logger = logging.getLogger(__name__)


def measure_costs(
    frozen_classifier: KerasModel,
    fine_tuned_classifier: KerasModel,
    trained_classifier: KerasModel,
    fine_tuning_history: pd.DataFrame,
    training_history: pd.DataFrame,
) -> dict[str, Any]:
    """Measure what each model costs: space on the disk, weights, work for a picture.

    Returns:
        ``model_costs``: model → ``megabytes`` (10⁶ bytes of its ``.keras`` file), ``parameters``
        and ``multiply_adds``, of one picture; None where a network's layers are called by its own
        code. Seconds differ from run to run; they are in the manifest.
    """
    models = {"frozen": frozen_classifier}
    if not fine_tuning_history.empty:
        models["fine_tuned"] = fine_tuned_classifier
    if not training_history.empty:
        models["from_scratch"] = trained_classifier
    return {name: _describe_cost(model) for name, model in models.items()}


def compare_models(
    predictions: pd.DataFrame,
    chosen_predictions: pd.DataFrame,
    metrics: dict[str, Any],
    model_costs: dict[str, Any],
    splits: pd.DataFrame,
    class_names: list[str],
    parameters: EvaluationParameters,
) -> dict[str, Any]:
    """Compare all models with each other, picture by picture, on dev.

    Verdicts and advice come from dev; on test figures are only shown.

    Returns:
        ``comparison``: ``confidence``; ``chosen``, the model chosen on dev; ``models``: model →
        its figures on ``dev`` and on ``test`` (None unless shown) and its ``cost``; ``pairs``: for
        any two models ``first``, ``second`` and, for ``dev`` and ``test`` (None unless both are
        shown), what :func:`graft.scores.comparison.compare_classifiers` gives. No pair with a
        single model.
    """
    models = [model for model in _ORDER if model in set(predictions["model"])]
    shown = select_shown(predictions, chosen_predictions, parameters)
    pairs = [
        _compare_pair(shown, pair, splits, class_names, parameters)
        for pair in combinations(models, 2)
    ]
    for pair in pairs:
        _tell_pair(pair)
    return {
        "confidence": parameters.confidence,
        "chosen": str(chosen_predictions["model"].iloc[0]),
        "models": {
            model: {
                **{split: metrics[model].get(split) for split in ("dev", "test")},
                "cost": model_costs[model],
            }
            for model in models
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


def _describe_cost(model: KerasModel) -> dict[str, Any]:
    from graft.models.blocks import count_multiply_adds

    try:
        work: int | None = count_multiply_adds(model)
    except LookupError:
        work = None
    with TemporaryDirectory() as folder:
        place = Path(folder) / "model.keras"
        KerasModelDataset(filepath=str(place)).save(model)
        size = place.stat().st_size
    return {
        "megabytes": round(size / 1e6, 3),
        "parameters": int(model.count_params()),
        "multiply_adds": work,
    }
