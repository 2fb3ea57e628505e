"""Nodes of the cross-validation that tell what came of it."""

from __future__ import annotations

import logging
from types import SimpleNamespace
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from graft.figures.folds import draw_folds
from graft.figures.report import METRIC_TITLES, render_page
from graft.pipelines.cross_validation.parameters import CrossValidationParameters
from graft.scores.intervals import mean_interval
from graft.scores.metrics import METRICS

logger = logging.getLogger(__name__)


def summarise_cross_validation(
    cross_validation_scores: pd.DataFrame, parameters: CrossValidationParameters
) -> dict[str, Any]:
    """Mean and spread of every metric, of every model, and of their difference within a fold.

    Returns:
        ``cross_validation``: ``folds``, ``pictures``, ``train`` (pictures trained on in a fold,
        on average), ``confidence``; ``models``: model → metric → ``mean``, ``std``, ``low`` and
        ``high`` (Student's t interval of the mean) and ``folds``, the values; ``difference``:
        the same of fine-tuned less frozen, empty without fine-tuning.
    """
    tables = dict(iter(cross_validation_scores.groupby("model", sort=False)))
    first = next(iter(tables.values()))
    models = {model: _summarise(table, parameters) for model, table in tables.items()}
    difference = {}
    if len(tables) > 1:
        names = list(METRICS)
        frozen, tuned = (table.set_index("fold")[names] for table in tables.values())
        difference = _summarise(tuned - frozen, parameters)
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
    table: pd.DataFrame, parameters: CrossValidationParameters
) -> dict[str, dict[str, Any]]:
    figures = {}
    for name in METRICS:
        values = table[name].to_numpy()
        low, high = mean_interval(values, parameters.confidence)
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
