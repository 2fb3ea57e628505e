"""Tables a class: precision and recall, and who is taken for whom."""

from __future__ import annotations

import numpy as np
import pandas as pd
from sklearn.metrics import confusion_matrix, precision_recall_fscore_support


def tabulate_classes(
    labels: pd.Series, predicted: pd.Series, class_names: list[str]
) -> pd.DataFrame:
    """Precision, recall, F1 and number of pictures of every class.

    Returns:
        Columns ``class``, ``precision``, ``recall``, ``f1``, ``support``, in the order of
        ``class_names``. A class that is never predicted has precision 0.
    """
    precision, recall, f1, support = precision_recall_fscore_support(
        labels, predicted, labels=class_names, zero_division=0
    )
    return pd.DataFrame(
        {
            "class": class_names,
            "precision": precision,
            "recall": recall,
            "f1": f1,
            "support": support,
        }
    )


def count_confusions(
    labels: pd.Series, predicted: pd.Series, class_names: list[str]
) -> pd.DataFrame:
    """Confusion matrix: a row a true class, a column a predicted one, pictures counted."""
    counts = confusion_matrix(labels, predicted, labels=class_names)
    return pd.DataFrame(counts, index=class_names, columns=class_names)


def condense_confusions(counts: pd.DataFrame, kept: int) -> pd.DataFrame:
    """The classes that are confused most, and all others in one last row and column.

    Args:
        counts: As of :func:`count_confusions`.
        kept: Classes that keep a row and a column of their own; in their order.

    Returns:
        Pictures by true class and predicted class, float (kept + 1, kept + 1); the last name is
        ``976 other classes``. What others have to do among themselves is missing (NaN).
    """
    values = counts.to_numpy(np.float64)
    wrong = values - np.diag(np.diag(values))
    mistakes = wrong.sum(axis=0) + wrong.sum(axis=1)
    chosen = np.sort(np.argsort(-mistakes, kind="stable")[:kept])
    others = np.setdiff1d(np.arange(len(values)), chosen)
    table = np.full((kept + 1, kept + 1), np.nan)
    table[:kept, :kept] = values[np.ix_(chosen, chosen)]
    table[:kept, kept] = values[np.ix_(chosen, others)].sum(axis=1)
    table[kept, :kept] = values[np.ix_(others, chosen)].sum(axis=0)
    names = [*counts.index[chosen], f"{len(others):,} other classes"]
    return pd.DataFrame(table, index=names, columns=names)
