"""Catalog type for CSV files that people open, in spreadsheets too."""

from __future__ import annotations

import csv
from typing import Any

import pandas as pd
from kedro_datasets.pandas import CSVDataset as PandasCSVDataset

from graft.spreadsheets import change_texts, escape_formula, unescape_formula


class CSVDataset(PandasCSVDataset):
    """``pandas.CSVDataset`` in UTF-8 whose texts are never formulas, and never end a row.

    A text that a spreadsheet would take for a formula gets an apostrophe, which loading takes away
    (:mod:`graft.spreadsheets`). Every text is quoted, for Python's ``csv`` leaves a carriage
    return bare, and every reader takes that for the end of a row. What was saved is loaded
    unharmed, and so is what a spreadsheet has saved again.

    Args:
        save_args: Of ``DataFrame.to_csv``.
        arguments: The others of ``pandas.CSVDataset``.
    """

    def __init__(self, *, save_args: dict[str, Any] | None = None, **arguments: Any) -> None:
        super().__init__(
            save_args={"quoting": csv.QUOTE_NONNUMERIC, **(save_args or {})},
            fs_args={"open_args_save": {"encoding": "utf-8"}},
            **arguments,
        )

    def load(self) -> pd.DataFrame:
        return change_texts(super().load(), unescape_formula)

    def save(self, data: pd.DataFrame) -> None:
        super().save(change_texts(data, escape_formula))
