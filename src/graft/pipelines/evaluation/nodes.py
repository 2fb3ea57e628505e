"""Nodes of the evaluation stage; no other stage reads the test split."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from graft.analysis.clusters import number_clusters
from graft.analysis.comparison import compare_classifiers
from graft.analysis.error_breakdown import (
    SPLITS,
    compare_with_baseline,
    measure_error_rate,
    name_largest,
    read_error_breakdown,
)
from graft.analysis.intervals import measure_with_intervals
from graft.analysis.metrics import count_confusions, tabulate_classes
from graft.analysis.predictions import get_probabilities
from graft.analysis.random_split import measure_optimism
from graft.datasets.features import FeatureTable
from graft.pipelines.evaluation.parameters import EvaluationParameters
from graft.progress import tell
from graft.reporting.error_figures import draw_confusion, draw_steps


def measure_predictions(
    predictions: pd.DataFrame,
    chosen_predictions: pd.DataFrame,
    splits: pd.DataFrame,
    class_names: list[str],
    parameters: EvaluationParameters,
) -> tuple[dict[str, Any], pd.DataFrame]:
    """Measure every model on train_dev and dev, and the chosen one on test.

    Returns:
        ``metrics``: model → split → ``n``, ``clusters`` (of pictures that belong together) and
        the figures with their intervals, see
        :func:`graft.analysis.intervals.measure_with_intervals`; on test those that
        :func:`graft.pipelines.evaluation.nodes.select_shown` leaves.
        ``class_metrics``: ``model``, ``split``, ``class``, ``precision``, ``recall``, ``f1``,
        ``support``.
    """
    metrics: dict[str, Any] = {}
    tables = []
    cluster_of = splits.set_index("image_id")["cluster"]
    shown = select_shown(predictions, chosen_predictions, parameters)
    for (model, split), rows in shown.groupby(["model", "split"], sort=False):
        clusters = cluster_of.loc[rows["image_id"]].to_numpy()
        figures = measure_with_intervals(
            pd.Categorical(rows["label"], categories=class_names).codes.astype(np.int64),
            get_probabilities(rows),
            parameters.bootstrap_draws,
            parameters.confidence,
            parameters.seed,
            clusters,
        )
        counts = {"n": len(rows), "clusters": len(np.unique(clusters))}
        metrics.setdefault(model, {})[split] = {**counts, **figures}
        table = tabulate_classes(rows["label"], rows["predicted"], class_names)
        table.insert(0, "split", split)
        table.insert(0, "model", model)
        tables.append(table)
    return metrics, pd.concat(tables, ignore_index=True)


def measure_error_breakdown(
    predictions: pd.DataFrame,
    chosen_predictions: pd.DataFrame,
    train_predictions: pd.DataFrame,
    splits: pd.DataFrame,
    parameters: EvaluationParameters,
) -> dict[str, Any]:
    """Measure the errors on train, train_dev, dev and test, and read what their steps say.

    Returns:
        ``error_breakdown``: ``confidence``, ``chosen`` (model), ``human_error``,
        ``train_pictures`` (of which ``errors`` measures a sample), ``chance`` (error of guessing),
        ``majority``: the commonest ``label`` of train and the ``errors`` of always naming it;
        ``models``: model → ``errors`` (split → ``n``, ``clusters``, ``value``, ``low``, ``high``;
        of ``test`` see :func:`graft.pipelines.evaluation.nodes.select_shown`); of the chosen one
        also ``readings`` (see :func:`graft.analysis.error_breakdown.read_error_breakdown`),
        ``headline``, a sentence, and ``baseline`` (see
        :func:`graft.analysis.error_breakdown.compare_with_baseline`), on test.
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
    readings = read_error_breakdown(errors, parameters.human_error)
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
    tell("Errors", "%s", _describe(errors))
    return {
        "confidence": parameters.confidence,
        "chosen": chosen,
        "human_error": parameters.human_error,
        "train_pictures": len(train),
        "chance": 1 - 1 / splits["label"].nunique(),
        "majority": {"label": label, "errors": majority},
        "models": models,
    }


def draw_error_breakdown(error_breakdown: dict[str, Any]) -> Figure:
    """Draw the errors of the chosen model on all splits with their intervals."""
    return draw_steps(
        error_breakdown["models"][error_breakdown["chosen"]]["errors"],
        {
            "guessing": error_breakdown["chance"],
            "commonest class": error_breakdown["majority"]["errors"]["test"],
        },
        error_breakdown["human_error"],
        error_breakdown["confidence"],
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


# With fewer pictures that belong together no split can flatter by a figure that anybody reads.
_LEAST_SHARE = 0.01


def compare_with_random_split(
    features: FeatureTable, splits: pd.DataFrame, parameters: EvaluationParameters
) -> dict[str, Any]:
    """Measure how much a plain random split would have flattered the result.

    Returns:
        ``random_split``: ``clusters`` and ``together``: how many clusters of more than one picture,
        and pictures in them, are in train and test. If they are one picture in a hundred or
        more, ``measured``: see :func:`~graft.analysis.random_split.measure_optimism`; at most
        ``random_split_pictures`` pictures, in whole clusters.
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
    pictures = _sample_clusters(pictures, parameters.random_split_pictures, parameters.seed)
    found["measured"] = measured = measure_optimism(
        features.read(pictures["image_id"]),
        pictures["label_index"].to_numpy(),
        pictures["cluster"].to_numpy(),
        (pictures["split"] == "test").to_numpy(),
        parameters.random_split_draws,
        parameters.confidence,
        parameters.seed,
    )
    tell(
        "Optimism",
        "a random split would show %.3f, this one %.3f (same features)",
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


def draw_confusion_matrices(
    predictions: pd.DataFrame, class_names: list[str]
) -> tuple[Figure, Figure]:
    """Draw who is taken for whom on test, in numbers and on a log2 scale."""
    test = predictions[predictions["split"] == "test"]
    counts = count_confusions(test["label"], test["predicted"], class_names)
    return draw_confusion(counts), draw_confusion(counts, log2=True)


def select_shown(
    predictions: pd.DataFrame, chosen_predictions: pd.DataFrame, parameters: EvaluationParameters
) -> pd.DataFrame:
    """Predictions without those on test of models that were not chosen, unless they are asked for.

    Whoever sees how all candidates do on test can choose by test, and then has none any more. What
    is left here is what :func:`graft.pipelines.champion.nodes.count_test_evaluations` counts.

    Args:
        predictions: Of all models; columns ``model`` and ``split``.
        chosen_predictions: Of the chosen one.
        parameters: ``show_all_candidates``.
    """
    if parameters.show_all_candidates:
        return predictions
    chosen = chosen_predictions["model"].iloc[0]
    return predictions[(predictions["split"] != "test") | (predictions["model"] == chosen)]


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
    names = [pair[place].replace("_", "-") for place in ("second", "first")]
    if found["same"]:
        tell("Compared", "%s gives the same answers as %s on all of dev", *names)
        return
    tell("Compared", "%s against %s on dev: %s", *names, found["verdict"])
    tell(
        "",
        "accuracy %+.1f points (%+.1f to %+.1f), p = %.2g",
        *(100 * found["accuracy"][name] for name in ("value", "low", "high")),
        found["p_value"],
    )
