"""Nodes of the curves stage."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from graft.analysis.choosing import read_kept
from graft.analysis.comparison import is_much_weaker
from graft.analysis.learning_curve import (
    ForecastSettings,
    forecast_errors,
    withhold_forecast,
)
from graft.analysis.predictions import read_split
from graft.analysis.refits import Pictures, refit_on_parts
from graft.analysis.thresholds import trace_class_curves
from graft.datasets.features import FeatureTable
from graft.pipelines.curves.parameters import CurvesParameters
from graft.progress import tell
from graft.reporting.curve_figures import draw_precision_recall, draw_roc
from graft.reporting.training_figures import draw_learning_curve, draw_stage_curves

FROZEN = "frozen"
_OTHER_KINDS = {
    "fine_tuned": "the champion is fine-tuned, and a curve of it needs a fine-tuning at every size",
    "from_scratch": (
        "the champion was trained from scratch, and a curve of it needs a training at every size"
    ),
}
_ANOTHER_KIND = "a curve of a champion of this kind needs a training at every size"
_MOST_CLASSES = 10


def measure_learning_curve(
    features: FeatureTable,
    chosen_predictions: pd.DataFrame,
    splits: pd.DataFrame,
    parameters: CurvesParameters,
) -> dict[str, Any]:
    """Train a simple classifier on parts of train, measure it on dev, and extend the curve.

    It stands for a champion of its kind, a head on frozen features, where it is about as good on
    the same pictures; what a champion of another kind would gain it does not know. The test split
    is not read.

    Returns:
        ``learning_curve``: what :func:`~graft.analysis.learning_curve.forecast_errors` gives,
        ``model`` (the champion), ``train``: pictures of train that took part, ``repeats`` and
        ``confidence``.
    """
    model = str(chosen_predictions["model"].iloc[0])
    counts = splits["split"].value_counts()
    whole = int(counts["train"])
    if model != FROZEN:
        reason = _OTHER_KINDS.get(model, _ANOTHER_KIND)
        found = withhold_forecast(int(counts["dev"]), whole, parameters.noticeable, reason)
        used = 0
    else:
        train_rows, dev_rows = (
            _sample(splits[splits["split"] == name], parameters) for name in ("train", "dev")
        )
        train, dev = (_read_pictures(features, rows) for rows in (train_rows, dev_rows))
        refits = refit_on_parts(train, dev, parameters.sizes, parameters.repeats, parameters.seed)
        settings = ForecastSettings(
            parameters.draws, parameters.confidence, parameters.noticeable, parameters.seed
        )
        found = forecast_errors(refits, dev.clusters, whole, settings)
        predicted = chosen_predictions.set_index("image_id")["predicted"]
        right = (predicted.loc[dev_rows["image_id"]].to_numpy() == dev_rows["label"]).to_numpy()
        if reason := _compare_levels(right, refits.hits[-1, 0]):
            found = withhold_forecast(len(dev.labels), whole, parameters.noticeable, reason)
        used = len(train.labels)
    return found | {
        "model": model,
        "train": used,
        "repeats": parameters.repeats,
        "confidence": parameters.confidence,
    }


def summarise_curves(
    chosen_predictions: pd.DataFrame,
    class_names: list[str],
    learning_curve: dict[str, Any],
    *histories: pd.DataFrame,
    names: list[str],
) -> dict[str, Any]:
    """Put together what the section of the report on curves says.

    Returns:
        ``curves``: ``model``; ``classes``: ``class``, ``n``, ``roc_auc`` and
        ``average_precision`` on test, the worst ten by area; ``class_count``: how many have
        curves; ``left_out``: number of classes without a picture in test; ``roc_auc`` and
        ``average_precision``: means over the classes, None without one; ``stages``: ``name``,
        ``epochs``, ``kept`` (epoch), ``dev_loss`` and ``dev_accuracy``; ``learning_curve``.
    """
    labels, probabilities = read_split(chosen_predictions, class_names, "test")
    curves = sorted(trace_class_curves(labels, probabilities), key=lambda curve: curve.area)
    named = _name_histories(histories, names)
    _log_outcome(learning_curve)
    return {
        "model": str(chosen_predictions["model"].iloc[0]),
        "classes": [
            {
                "class": class_names[curve.index],
                "n": curve.count,
                "roc_auc": curve.area,
                "average_precision": curve.average_precision,
            }
            for curve in curves[:_MOST_CLASSES]
        ],
        "class_count": len(curves),
        "left_out": len(class_names) - len(np.unique(labels)),
        "roc_auc": _take_mean([curve.area for curve in curves]),
        "average_precision": _take_mean([curve.average_precision for curve in curves]),
        "stages": [_describe_stage(*item) for item in named.items() if len(item[1])],
        "learning_curve": learning_curve,
    }


def draw_class_curves(
    chosen_predictions: pd.DataFrame, class_names: list[str]
) -> tuple[Figure, Figure]:
    """Draw the ROC and the precision-recall curve of every class on test."""
    curves = trace_class_curves(*read_split(chosen_predictions, class_names, "test"))
    return draw_roc(curves, class_names), draw_precision_recall(curves, class_names)


def draw_all_training_curves(*histories: pd.DataFrame, names: list[str]) -> Figure:
    """Draw the learning curves of all candidates on one axis of epochs."""
    return draw_stage_curves(_name_histories(histories, names))


def draw_learning_curve_figure(learning_curve: dict[str, Any]) -> Figure:
    """Draw accuracy on dev against the number of training pictures."""
    return draw_learning_curve(learning_curve)


def _compare_levels(champion_right: np.ndarray, refit_right: np.ndarray) -> str:
    """Why the refit on all of train does not stand for the champion; empty where it does."""
    weaker = is_much_weaker(refit_right, champion_right)
    if not weaker and not is_much_weaker(champion_right, refit_right):
        return ""
    errors = [f"{100 * (1 - right.mean()):.1f} %" for right in (refit_right, champion_right)]
    return (
        "a simple classifier on the same features, which can be trained on parts of train, is "
        f"{'weaker' if weaker else 'better'} than the champion: wrong on {errors[0]} of dev "
        f"against {errors[1]}"
    )


def _sample(rows: pd.DataFrame, parameters: CurvesParameters) -> pd.DataFrame:
    """All pictures, or those of whole clusters in random order up to about the limit."""
    clusters = np.random.default_rng(parameters.seed).permutation(rows["cluster"].unique())
    sizes = rows["cluster"].value_counts().loc[clusters].cumsum()
    kept = sizes.index[sizes <= max(parameters.pictures, sizes.iloc[0])]
    return rows[rows["cluster"].isin(kept)]


def _read_pictures(features: FeatureTable, rows: pd.DataFrame) -> Pictures:
    return Pictures(
        features.read(rows["image_id"]),
        rows["label_index"].to_numpy(np.int64),
        rows["cluster"].to_numpy(),
    )


def _name_histories(histories: Sequence[pd.DataFrame], names: list[str]) -> dict[str, pd.DataFrame]:
    return dict(zip((name.replace("_", "-") for name in names), histories, strict=True))


def _describe_stage(name: str, history: pd.DataFrame) -> dict[str, Any]:
    best = history.iloc[read_kept(history)]
    return {
        "name": name,
        "epochs": int((history["epoch"] > 0).sum()),
        "kept": int(best["epoch"]),
        "dev_loss": float(best["dev_loss"]),
        "dev_accuracy": float(best["dev_accuracy"]),
    }


def _take_mean(values: list[float]) -> float | None:
    return float(np.mean(values)) if values else None


def _log_outcome(found: dict[str, Any]) -> None:
    if found["withheld"]:
        tell("More data", f"cannot be said: {found['withheld']}")
    elif found["forecasts"]:
        last = found["forecasts"][-1]
        tell(
            "More data",
            "four times the pictures: dev error %.3f → %.3f (%.3f to %.3f)",
            found["now"]["error"],
            last["error"],
            last["low"],
            last["high"],
        )
