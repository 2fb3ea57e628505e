"""What is predicted, and from what."""

from __future__ import annotations

import numpy as np
import pandas as pd

from graft.errors import GraftError
from graft.pipelines.tabular.parameters import TabularParameters


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
