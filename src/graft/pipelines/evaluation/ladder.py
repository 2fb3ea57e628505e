"""The nodes that set the errors of all splits beside each other."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from graft.figures.ladder import draw_steps
from graft.pipelines.evaluation.parameters import EvaluationParameters
from graft.pipelines.evaluation.shown import select_shown
from graft.scores.clusters import number_clusters
from graft.scores.ladder import SPLITS, compare_with_baseline, name_largest, read_ladder
from graft.scores.rates import measure_error_rate

logger = logging.getLogger(__name__)


def measure_ladder(
    predictions: pd.DataFrame,
    chosen_predictions: pd.DataFrame,
    train_predictions: pd.DataFrame,
    splits: pd.DataFrame,
    parameters: EvaluationParameters,
) -> dict[str, Any]:
    """Measure the errors on train, train_dev, dev and test, and read what their steps say.

    Returns:
        ``ladder``: ``confidence``, ``chosen`` (model), ``human_error``, ``train_pictures`` (of
        which ``errors`` measures a sample), ``chance`` (error of guessing), ``majority``: the
        commonest ``label`` of train and the ``errors`` of always naming it; ``models``: model →
        ``errors`` (split → ``n``, ``clusters``, ``value``, ``low``, ``high``; of ``test`` see
        :func:`graft.pipelines.evaluation.shown.select_shown`); of the chosen one also ``readings``
        (see :func:`graft.scores.ladder.read_ladder`), ``headline``, a sentence, and ``baseline``
        (see :func:`graft.scores.ladder.compare_with_baseline`), on test.
    """
    train = splits.loc[splits["split"] == "train", "label"]
    label = str(train.value_counts().sort_index(kind="stable").idxmax())
    shown = select_shown(predictions, chosen_predictions, parameters)
    measured = pd.concat([train_predictions, shown])
    known = [split for split in SPLITS if split in set(measured["split"])]
    shares = splits["label"].ne(label).groupby(splits["split"]).mean()
    majority = {split: float(shares[split]) for split in known}
    cluster_of = splits.set_index("image_id")["cluster"]
    models: dict[str, Any] = {}
    for model, rows in measured.groupby("model", sort=False):
        clusters = cluster_of.loc[rows["image_id"]].to_numpy()
        errors = _measure_errors(rows, clusters, known, parameters.confidence)
        models[str(model)] = {"errors": errors}
    chosen = str(chosen_predictions["model"].iloc[0])
    errors = models[chosen]["errors"]
    readings = read_ladder(errors, parameters.human_error)
    test = chosen_predictions[chosen_predictions["split"] == "test"]
    models[chosen] |= {
        "readings": readings,
        "headline": name_largest(readings),
        "baseline": compare_with_baseline(
            test["label"].to_numpy(),
            test["predicted"].to_numpy(),
            label,
            cluster_of.loc[test["image_id"]].to_numpy(),
            parameters.confidence,
        ),
    }
    logger.info("Ladder       %s", _describe(errors))
    return {
        "confidence": parameters.confidence,
        "chosen": chosen,
        "human_error": parameters.human_error,
        "train_pictures": len(train),
        "chance": 1 - 1 / splits["label"].nunique(),
        "majority": {"label": label, "errors": majority},
        "models": models,
    }


def draw_ladder(ladder: dict[str, Any]) -> Figure:
    """Draw the errors of the chosen model on all splits with their intervals."""
    return draw_steps(
        ladder["models"][ladder["chosen"]]["errors"],
        {"guessing": ladder["chance"], "commonest class": ladder["majority"]["errors"]["test"]},
        ladder["human_error"],
        ladder["confidence"],
    )


def _measure_errors(
    rows: pd.DataFrame, clusters: np.ndarray, known: list[str], confidence: float
) -> dict[str, dict[str, Any]]:
    right = (rows["label"] == rows["predicted"]).to_numpy(bool)
    errors = {}
    for split in known:
        part = (rows["split"] == split).to_numpy()
        if not part.any():
            continue
        codes = number_clusters(clusters[part], int(part.sum()))
        errors[split] = measure_error_rate(right[part], codes, confidence)
    return errors


def _describe(errors: dict[str, Any]) -> str:
    steps = (f"{split.replace('_', '-')} {100 * e['value']:.1f} %" for split, e in errors.items())
    return "wrong on " + ", ".join(steps)
