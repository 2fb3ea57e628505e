"""Catalog types for what people open: figures, web pages, and tables for spreadsheets."""

from __future__ import annotations

import base64
import csv
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NewType

import pandas as pd
from kedro_datasets.matplotlib import MatplotlibDataset
from kedro_datasets.pandas import CSVDataset as PandasCSVDataset

from graft.datasets.atomic import LocalDataset
from graft.spreadsheets import change_texts, escape_formula, unescape_formula

# kedro-viz recognises the kind of a preview by these names.
HTMLPreview = NewType("HTMLPreview", str)
ImagePreview = NewType("ImagePreview", str)


class FigureDataset(MatplotlibDataset):
    """A Matplotlib figure as a file that, unlike its parent's, can be read back as bytes."""

    def load(self) -> bytes:
        return Path(str(self._get_load_path())).read_bytes()


class FigureFolderDataset(LocalDataset[Mapping[str, bytes], dict[str, bytes]]):
    """A folder of PNG files, name to content; kedro-viz shows the first one by name."""

    def load(self) -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in sorted(self._filepath.glob("*.png"))}

    def save(self, data: Mapping[str, bytes]) -> None:
        self._filepath.mkdir(parents=True, exist_ok=True)
        for name, content in data.items():
            (self._filepath / name).write_bytes(content)

    def preview(self) -> ImagePreview:
        first = next(iter(self.load().values()), b"")
        return ImagePreview(base64.b64encode(first).decode())


class HTMLDataset(LocalDataset[str, str]):
    """A self-contained HTML page, shown as it is in kedro-viz."""

    def load(self) -> str:
        return self._filepath.read_text(encoding="utf-8")

    def save(self, data: str) -> None:
        self._filepath.write_text(data, encoding="utf-8")

    def preview(self) -> HTMLPreview:
        return HTMLPreview(self.load())


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
