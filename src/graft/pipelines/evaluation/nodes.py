"""Nodes of the evaluation stage that measure and draw; no other stage reads the test split."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from graft.analysis.clusters import number_clusters
from graft.analysis.error_breakdown import (
    SPLITS,
    compare_with_baseline,
    measure_error_rate,
    name_largest,
    read_error_breakdown,
)
from graft.analysis.intervals import measure_with_intervals
from graft.analysis.metrics import count_confusions, tabulate_classes
from graft.analysis.random_split import measure_optimism
from graft.datasets.features import FeatureTable
from graft.errors import GraftError
from graft.images.colours import copy_pictures
from graft.pipelines.evaluation.parameters import EvaluationParameters, TrainSampleParameters
from graft.pipelines.evaluation.predicting import list_measured
from graft.pipelines.evaluation.shown import select_shown
from graft.reporting.error_figures import draw_confusion, draw_steps
from graft.reporting.training_figures import draw_history
from graft.types import KerasModel

logger = logging.getLogger(__name__)

FROZEN = "frozen"
# Float rounding differs between one graph and two; more than this is another model.
_LARGEST_DIFFERENCE = 1e-3


def predict_from_features(
    features: FeatureTable,
    head: KerasModel,
    splits: pd.DataFrame,
    class_names: list[str],
    parameters: TrainSampleParameters,
) -> pd.DataFrame:
    """Classify the pictures of train_dev, dev and test and some of train from stored features.

    The backbone is not run again: ``frozen_classifier`` is this very backbone and head, which
    :func:`check_frozen_classifier` proves on pictures.

    Returns:
        ``frozen_predictions``, in the order of ``splits``: ``image_id``, ``split``, ``model``,
        ``label``, ``predicted`` and ``probability_<class>`` for every class.
    """
    from graft.models.inference import compile_forward

    batch_size = 256
    forward = compile_forward(head, batch_size)
    probabilities = np.empty((len(features), len(class_names)), np.float32)
    for rows, block in features.read_blocks():
        for start in range(0, len(block), batch_size):
            batch = forward(block[start : start + batch_size])
            probabilities[rows.start + start : rows.start + start + len(batch)] = batch
    table = pd.DataFrame(probabilities, columns=[f"probability_{name}" for name in class_names])
    table.insert(0, "predicted", np.array(class_names)[probabilities.argmax(axis=1)])
    table.insert(0, "image_id", features.keys["image_id"])
    table = table[features.keys["view"] == 0]
    measured = splits.iloc[list_measured(splits, parameters)][["image_id", "split", "label"]]
    measured.insert(2, "model", FROZEN)
    return measured.merge(table, on="image_id", validate="one_to_one").astype(
        {"split": "str", "model": "str", "predicted": "str"}
    )


def check_frozen_classifier(
    frozen_classifier: KerasModel,
    images: np.ndarray,
    splits: pd.DataFrame,
    predictions: pd.DataFrame,
    parameters: EvaluationParameters,
) -> dict[str, float]:
    """Prove that the saved classifier gives, from pictures, what was computed from features.

    Returns:
        ``pictures``: how many of dev were compared. ``largest_difference``: of a probability.

    Raises:
        GraftError: If it gives something else.
    """
    from graft.models.inference import compile_forward

    rows = np.flatnonzero(splits["split"] == "dev")[: parameters.checked_pictures]
    forward = compile_forward(frozen_classifier, batch_size=16)
    given = np.concatenate(
        [
            forward(copy_pictures(images, rows[start : start + 16]))
            for start in range(0, len(rows), 16)
        ]
    )
    expected = predictions.set_index("image_id").loc[splits["image_id"].iloc[rows]]
    difference = float(np.abs(given - get_probabilities(expected)).max())
    if not difference <= _LARGEST_DIFFERENCE:
        raise GraftError(
            "the saved classifier does not give what was measured; probabilities may differ by "
            f"{_LARGEST_DIFFERENCE}; train the head again; got a difference of {difference:.2g}"
        )
    return {"pictures": len(rows), "largest_difference": difference}


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
        :func:`graft.pipelines.evaluation.shown.select_shown` leaves.
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


def get_probabilities(predictions: pd.DataFrame) -> np.ndarray:
    """Probabilities (n, C), float64, in the order of the class names."""
    return predictions.filter(regex="^probability_").to_numpy(np.float64)


def measure_error_breakdown(
    predictions: pd.DataFrame,
    chosen_predictions: pd.DataFrame,
    train_predictions: pd.DataFrame,
    splits: pd.DataFrame,
    parameters: EvaluationParameters,
) -> dict[str, Any]:
    """Measure the errors on train, train_dev, dev and test, and read what their steps say.

    Returns:
        ``error_breakdown``: ``confidence``, ``chosen`` (model), ``human_error``, ``train_pictures`` (of
        which ``errors`` measures a sample), ``chance`` (error of guessing), ``majority``: the
        commonest ``label`` of train and the ``errors`` of always naming it; ``models``: model →
        ``errors`` (split → ``n``, ``clusters``, ``value``, ``low``, ``high``; of ``test`` see
        :func:`graft.pipelines.evaluation.shown.select_shown`); of the chosen one also ``readings``
        (see :func:`graft.analysis.error_breakdown.read_error_breakdown`), ``headline``, a sentence, and ``baseline``
        (see :func:`graft.analysis.error_breakdown.compare_with_baseline`), on test.
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
    logger.info("Errors       %s", _describe(errors))
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
        _read_features(features, pictures["image_id"]),
        pictures["label_index"].to_numpy(),
        pictures["cluster"].to_numpy(),
        (pictures["split"] == "test").to_numpy(),
        parameters.random_split_draws,
        parameters.confidence,
        parameters.seed,
    )
    logger.info(
        "Optimism     a random split would show %.3f, this one shows %.3f (same features)",
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


def draw_confusion_matrices(
    predictions: pd.DataFrame, class_names: list[str]
) -> tuple[Figure, Figure]:
    """Draw who is taken for whom on test, in numbers and on a log2 scale."""
    test = predictions[predictions["split"] == "test"]
    counts = count_confusions(test["label"], test["predicted"], class_names)
    return draw_confusion(counts), draw_confusion(counts, log2=True)


def draw_learning_curves(head_history: pd.DataFrame) -> Figure:
    """Draw loss and accuracy of the head on train and dev, by epoch."""
    return draw_history(head_history, "Training the head")
