"""Nodes of the tabular pipeline."""

from __future__ import annotations

import logging
from typing import Any

import pandas as pd
from matplotlib.figure import Figure
from sklearn.base import BaseEstimator
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import KFold, StratifiedKFold, cross_validate
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from graft.figures.folds import draw_folds
from graft.figures.report import render_page
from graft.pipelines.tabular.parameters import TabularParameters
from graft.pipelines.tabular.targets import separate_target
from graft.progress import track

# Name of the score to scikit-learn's scorer and the sign that makes it what its name says.
SCORES = {
    "classification": {"accuracy": ("accuracy", 1), "roc_auc": ("roc_auc_ovr", 1)},
    "regression": {"r2": ("r2", 1), "rmse": ("neg_root_mean_squared_error", -1)},
}
NETWORK, LINEAR, TRIVIAL = "network", "linear", "trivial"
logger = logging.getLogger(__name__)


def cross_validate_table(raw_table: pd.DataFrame, parameters: TabularParameters) -> pd.DataFrame:
    """Measure the network, a linear model and a trivial one on the same folds.

    Missing values become the median and all columns are standardised, both learnt from the
    training rows of each fold alone.

    Returns:
        ``tabular_scores``: ``model``, ``fold`` (from 1), ``rows`` (of the fold) and a column a
        score: ``accuracy`` and ``roc_auc``, or ``r2`` and ``rmse`` (units of the target).

    Raises:
        GraftError: If there is no such column, it does not fit the task, or a class is too small
            for so many folds.
    """
    rows, targets = separate_target(raw_table, parameters)
    kind = StratifiedKFold if parameters.task == "classification" else KFold
    folds = kind(parameters.folds, shuffle=True, random_state=parameters.seed)
    places = list(folds.split(rows, targets))
    scores = SCORES[parameters.task]
    tables = []
    models = make_models(parameters)
    for name, model in track(models.items(), len(models), "validating", "models"):
        found = cross_validate(
            model,
            rows,
            targets,
            cv=places,
            scoring={score: scorer for score, (scorer, _) in scores.items()},
            error_score="raise",
        )
        columns = {score: sign * found[f"test_{score}"] for score, (_, sign) in scores.items()}
        table = pd.DataFrame({"model": name, "fold": range(1, len(places) + 1)} | columns)
        table.insert(2, "rows", [len(held_out) for _, held_out in places])
        tables.append(table)
    return pd.concat(tables, ignore_index=True).astype({"model": "str"})


def make_models(parameters: TabularParameters) -> dict[str, Pipeline]:
    """The network and what it is measured against, each behind the same preparation."""
    from graft.models.table_estimators import TableClassifier, TableRegressor

    settings = parameters.model_dump(exclude={"task", "target", "folds"})
    models: dict[str, BaseEstimator]
    if parameters.task == "classification":
        models = {
            NETWORK: TableClassifier(**settings),
            LINEAR: LogisticRegression(max_iter=1000),
            TRIVIAL: DummyClassifier(),
        }
    else:
        models = {NETWORK: TableRegressor(**settings), LINEAR: Ridge(), TRIVIAL: DummyRegressor()}
    return {
        name: make_pipeline(SimpleImputer(strategy="median"), StandardScaler(), model)
        for name, model in models.items()
    }


def summarise_folds(tabular_scores: pd.DataFrame, parameters: TabularParameters) -> dict[str, Any]:
    """Mean and spread of every score over the folds.

    Returns:
        ``tabular_metrics``: model → score → ``mean``, ``std`` (between folds, n - 1), ``low``
        and ``high`` (the worst and the best fold).
    """
    metrics: dict[str, Any] = {}
    for model, rows in tabular_scores.groupby("model", sort=False):
        metrics[str(model)] = {
            score: {
                "mean": float(rows[score].mean()),
                "std": float(rows[score].std()),
                "low": float(rows[score].min()),
                "high": float(rows[score].max()),
            }
            for score in SCORES[parameters.task]
        }
    for score, found in metrics[NETWORK].items():
        logger.info(
            "Network      %-9s %.3f ± %.3f over %d folds (linear model %.3f)",
            score, found["mean"], found["std"], parameters.folds, metrics[LINEAR][score]["mean"],
        )  # fmt: skip
    return metrics


def draw_fold_scores(tabular_scores: pd.DataFrame, parameters: TabularParameters) -> Figure:
    """Draw every score of every model, a point a fold."""
    return draw_folds(tabular_scores, list(SCORES[parameters.task]))


def write_tabular_report(
    tabular_metrics: dict[str, Any],
    tabular_scores: pd.DataFrame,
    fold_scores: bytes,
    parameters: TabularParameters,
) -> str:
    """Write the report: one HTML page that needs nothing but itself.

    Returns:
        ``tabular_report``: HTML.
    """
    return render_page(
        "tabular.html",
        metrics=tabular_metrics,
        scores=list(SCORES[parameters.task]),
        folds=tabular_scores[tabular_scores["model"] == NETWORK].to_dict("records"),
        row_count=int(tabular_scores.loc[tabular_scores["model"] == NETWORK, "rows"].sum()),
        parameters=parameters,
        figure=fold_scores,
    )
