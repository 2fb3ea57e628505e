"""Tables a class: precision and recall, and who is taken for whom."""

from __future__ import annotations

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
