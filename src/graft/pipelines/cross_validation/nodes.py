"""Nodes of the cross-validation: they train, measure and tell what came of it."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from graft.analysis.intervals import mean_interval
from graft.analysis.metrics import METRICS
from graft.analysis.predictions import check_probabilities
from graft.compute.known_rows import TracedRows
from graft.compute.shards import ShardStore
from graft.compute.streams import RowStream
from graft.datasets.features import FeatureTable
from graft.models.kept_exports import KeptExports
from graft.parameters.compute import HERE, ComputeParameters
from graft.parameters.fine_tuning import FineTuningParameters, find_settings
from graft.parameters.forward import AUTO, ForwardParameters
from graft.parameters.training import HeadTrainingParameters
from graft.pipelines.cross_validation.parameters import CrossValidationParameters
from graft.pipelines.cross_validation.trainings import (
    Fold,
    FoldInputs,
    find_used,
    fine_tune_fold,
    make_folds,
    refuse_nothing_to_tune,
    train_head_of_fold,
)
from graft.progress import track
from graft.reporting.error_figures import draw_folds
from graft.reporting.report import METRIC_TITLES, render_page
from graft.training.boundary import stream_activations
from graft.types import KerasModel

logger = logging.getLogger(__name__)

FROZEN, FINE_TUNED = "frozen", "fine_tuned"


def store_fold_activations(
    backbone: KerasModel,
    images: np.ndarray,
    image_origins: pd.DataFrame,
    splits: pd.DataFrame,
    class_names: list[str],
    previous_boundary_activations: TracedRows | None,
    fine_tuned_recipe: dict[str, Any],
    fine_tuning: FineTuningParameters,
    parameters: CrossValidationParameters,
    forward: ForwardParameters = AUTO,
    exports: KeptExports | None = None,
    compute: ComputeParameters = HERE,
    fold_shards: ShardStore | None = None,
) -> RowStream | np.ndarray:
    """Compute what the frozen blocks give for every picture but those of test, and its views.

    What the fine-tuning stage has stored is taken over; it stores no augmented views of dev, and
    here every picture is trained on.

    Returns:
        ``fold_activations`` (R, …): each picture and then its views, as a stream; without rows
        if no fold is fine-tuned, or pictures are trained on.

    Raises:
        GraftError: If there is no such block, none is to be trained, or folds are not possible.
    """
    if not parameters.fine_tuning:
        return np.zeros((0, 1), fine_tuning.activation_dtype)
    list(make_folds(splits, class_names, parameters))  # refused before hours of work
    fine_tuning = find_settings(fine_tuning, fine_tuned_recipe)
    from graft.models.freezing import cut_backbone
    from graft.training.boundary import BoundaryPlan
    from graft.training.devices import seed_everything, tell_devices

    tell_devices()
    seed_everything(fine_tuning.seed)
    cut = cut_backbone(backbone, fine_tuning.unfreeze)
    refuse_nothing_to_tune(cut)
    if cut.trunk is None or not fine_tuning.activation_cache:
        return np.zeros((0, 1), fine_tuning.activation_dtype)
    plan = BoundaryPlan(find_used(splits), np.arange(0), fine_tuning.views)
    previous = previous_boundary_activations
    return stream_activations(
        cut.trunk, plan, images, image_origins, splits, previous, fine_tuning, forward, exports,
        compute=compute, store=fold_shards,
    )  # fmt: skip


def cross_validate(
    features: FeatureTable,
    backbone: KerasModel,
    fold_activations: np.ndarray,
    images: np.ndarray,
    splits: pd.DataFrame,
    class_names: list[str],
    fine_tuned_recipe: dict[str, Any],
    head_training: HeadTrainingParameters,
    fine_tuning: FineTuningParameters,
    parameters: CrossValidationParameters,
) -> pd.DataFrame:
    """Train on all folds but two, stop by one of the two, measure on the other; a fold at a time.

    Augmented features are stored of the pictures of train alone; of the others, the picture
    itself is trained on. The test split is not used.

    Returns:
        ``cross_validation_scores``, a row a fold and model: ``model``, ``fold``, ``train``,
        ``stop`` and ``measured`` (numbers of pictures), and every registered metric.

    Raises:
        GraftError: If a class has fewer clusters than there are folds.
    """
    from graft.training.devices import tell_devices

    tell_devices()
    fine_tuning = find_settings(fine_tuning, fine_tuned_recipe)
    classes = len(class_names)
    labels = splits["label_index"].to_numpy(np.int64)
    inputs = FoldInputs(fold_activations, images, splits, find_used(splits), fine_tuning)
    rows = []
    folds = list(make_folds(splits, class_names, parameters))
    for fold in track(folds, len(folds), "validating", "folds"):
        head, found = train_head_of_fold(fold, features, splits, classes, head_training)
        rows.append(_measure(FROZEN, fold, labels, found))
        if parameters.fine_tuning:
            found = fine_tune_fold(fold, backbone, head, inputs, classes, fine_tuning)
            rows.append(_measure(FINE_TUNED, fold, labels, found))
    return pd.DataFrame(rows)


def _measure(
    model: str, fold: Fold, labels: np.ndarray, probabilities: np.ndarray
) -> dict[str, Any]:
    once = np.ones((1, len(fold.measure)))
    owner = f"the {model.replace('_', '-')} classifier of fold {fold.number}"
    wide = check_probabilities(probabilities.astype(np.float64), owner)
    return {
        "model": model,
        "fold": fold.number,
        "train": len(fold.train),
        "stop": len(fold.stop),
        "measured": len(fold.measure),
        **{
            name: float(metric(labels[fold.measure], wide, once)[0])
            for name, metric in METRICS.items()
        },
    }


# A figure cannot be outside of this, so neither is an interval.
_RANGES = dict.fromkeys(METRICS, (0.0, 1.0)) | {"log_loss": (0.0, math.inf)}


def summarise_cross_validation(
    cross_validation_scores: pd.DataFrame, parameters: CrossValidationParameters
) -> dict[str, Any]:
    """Mean and spread of every metric, of every model, and of their difference within a fold.

    Returns:
        ``cross_validation``: ``folds``, ``pictures``, ``train`` (pictures trained on in a fold,
        on average), ``confidence``; ``models``: model → metric → ``mean``, ``std``, ``low`` and
        ``high`` (Student's t interval of the mean, cut at what is possible) and ``folds``, the
        values; ``difference``: the same of fine-tuned less frozen, empty without fine-tuning.
    """
    tables = dict(iter(cross_validation_scores.groupby("model", sort=False)))
    first = next(iter(tables.values()))
    models = {model: _summarise(table, parameters, _RANGES) for model, table in tables.items()}
    difference = {}
    if len(tables) > 1:
        names = list(METRICS)
        frozen, tuned = (table.set_index("fold")[names] for table in tables.values())
        difference = _summarise(tuned - frozen, parameters, {})
    found = {
        "folds": len(first),
        "pictures": int(first["measured"].sum()),
        "train": round(float(first["train"].mean())),
        "confidence": parameters.confidence,
        "models": models,
        "difference": difference,
    }
    for line in format_cross_validation(found):
        logger.info(line)
    return found


def format_cross_validation(found: dict[str, Any]) -> list[str]:
    """The result as lines of at most 80 columns, a block a model."""
    level = f"{100 * found['confidence']:g} % interval"
    lines = ["", f"{found['folds']} folds of {found['pictures']:,} pictures, test left out"]
    blocks = dict(found["models"])
    if found["difference"]:
        blocks["fine_tuned_less_frozen"] = found["difference"]
    for model, figures in blocks.items():
        title = model.replace("_", "-", 1 if model.startswith("fine") else 0).replace("_", " ")
        lines += ["", f"{title.capitalize():<27}  mean     std   {level:<16}   worst   best"]
        lines += [_format_row(name, figure) for name, figure in figures.items()]
    return lines


def draw_cross_validation_folds(cross_validation_scores: pd.DataFrame) -> Figure:
    """Draw every metric of every fold and model."""
    titles = {name: METRIC_TITLES.get(name, name) for name in METRICS}
    units = {title: "nats" if name == "log_loss" else "share" for name, title in titles.items()}
    shown = cross_validation_scores.rename(columns=titles)
    shown["model"] = shown["model"].str.replace("_", "-")
    return draw_folds(shown, [*titles.values()], units)


def write_cross_validation_page(
    cross_validation: dict[str, Any], cross_validation_folds: bytes
) -> str:
    """Write the result as a page of its own."""
    content = SimpleNamespace(
        sections={"cross_validation": cross_validation},
        figures={"cross_validation_folds": cross_validation_folds},
    )
    return render_page("cross_validation_page.html", content=content)


def _summarise(
    table: pd.DataFrame,
    parameters: CrossValidationParameters,
    ranges: Mapping[str, tuple[float, float]],
) -> dict[str, dict[str, Any]]:
    figures = {}
    for name in METRICS:
        values = table[name].to_numpy()
        least, most = ranges.get(name, (-math.inf, math.inf))
        low, high = mean_interval(values, parameters.confidence)
        low, high = max(low, least), min(high, most)
        figures[name] = {
            "mean": float(values.mean()),
            "std": float(values.std(ddof=1)),
            "low": low,
            "high": high,
            "folds": values.tolist(),
        }
    return figures


def _format_row(name: str, figure: dict[str, Any]) -> str:
    ends = sorted([min(figure["folds"]), max(figure["folds"])], reverse=name == "log_loss")
    interval = f"{figure['low']:z.3f} – {figure['high']:z.3f}"
    return (
        f"  {name.replace('_', ' '):<24} {figure['mean']:z6.3f}  {figure['std']:.3f}   "
        f"{interval:<16}  {ends[0]:z6.3f} {ends[1]:z6.3f}"
    )
