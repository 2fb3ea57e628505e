"""Nodes of the tabular pipeline."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from graft.errors import GraftError
from graft.pipelines.tabular.parameters import LINEAR, NETWORK, TabularParameters
from graft.progress import tell, track
from graft.reporting.error_figures import draw_folds
from graft.reporting.report import render_page


def separate_target(
    table: pd.DataFrame, parameters: TabularParameters
) -> tuple[np.ndarray, np.ndarray]:
    """Divide a table into the numbers to predict from, float64 (n, D), and the targets (n,).

    Raises:
        GraftError: See :func:`cross_validate_table`.
    """
    column = _find_column(table, parameters.target)
    targets = table.iloc[:, column]
    rows = table.drop(columns=table.columns[column])
    texts = [str(name) for name in rows if not pd.api.types.is_numeric_dtype(rows[name])]
    if texts or rows.empty:
        raise GraftError(
            "the table needs columns of numbers to predict from; leave out the others; got "
            + (f"'{texts[0]}' of text" if texts else f"{rows.shape[1]} columns, {len(rows)} rows")
        )
    if targets.isna().any():
        raise GraftError(
            f"every row needs a target; got {int(targets.isna().sum())} rows without one in "
            f"column '{table.columns[column]}'"
        )
    _check_task(targets, parameters)
    return rows.to_numpy(np.float64), targets.to_numpy()


def _find_column(table: pd.DataFrame, target: str | int) -> int:
    if isinstance(target, int) and -table.shape[1] <= target < table.shape[1]:
        return target % table.shape[1]
    names = [str(name) for name in table.columns]
    if target not in names:
        raise GraftError(
            f"tabular.target: the table has the columns {', '.join(names)}; allowed are their "
            f"names, and numbers from 0 or -1 for the last; got {target!r}"
        )
    return names.index(str(target))


def _check_task(targets: pd.Series, parameters: TabularParameters) -> None:
    if parameters.task == "regression":
        if not pd.api.types.is_numeric_dtype(targets):
            raise GraftError(f"a regression predicts numbers; got '{targets.iloc[0]}'")
        if len(targets) < 2 * parameters.folds:
            raise GraftError(
                f"tabular.folds: every fold needs two rows, of {len(targets)}; "
                f"got {parameters.folds}"
            )
        return
    sizes = targets.value_counts()
    if len(sizes) < 2 or sizes.min() < parameters.folds:
        raise GraftError(
            "a classification needs two classes, and every class a row in every fold; lower "
            f"tabular.folds ({parameters.folds}) or set task to regression; got "
            f"{len(sizes)} classes, the smallest of {sizes.min()} rows"
        )


# Name of the score to scikit-learn's scorer and the sign that makes it what its name says.
SCORES = {
    "classification": {"accuracy": ("accuracy", 1), "roc_auc": ("roc_auc_ovr", 1)},
    "regression": {"r2": ("r2", 1), "rmse": ("neg_root_mean_squared_error", -1)},
}


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
    from sklearn.model_selection import KFold, StratifiedKFold, cross_validate

    from graft.pipelines.tabular.estimators import make_models

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
        tell(
            "Network", "%-9s %.3f ± %.3f over %d folds (linear model %.3f)",
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
