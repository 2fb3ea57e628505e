"""Catalog types for what people open: figures, web pages, and tables for spreadsheets."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from typing import Any, NewType

import pandas as pd
from kedro_datasets.pandas import CSVDataset as PandasCSVDataset
from matplotlib.figure import Figure

from graft.datasets.atomic import LocalDataset
from graft.reporting.embedding import embed_figure, encode_figure
from graft.spreadsheets import change_texts, escape_formula, unescape_formula

# kedro-viz recognises the kind of a preview by this name.
HTMLPreview = NewType("HTMLPreview", str)


class FigureDataset(LocalDataset[Figure, bytes]):
    """A Matplotlib figure as a file, in the format that its name ends in: ``.svg``, ``.png``.

    In an SVG names are text, which every browser writes in its own fonts.
    """

    def load(self) -> bytes:
        return self._filepath.read_bytes()

    def save(self, data: Figure) -> None:
        self._filepath.write_bytes(encode_figure(data, self._filepath.suffix.lstrip(".")))

    def preview(self) -> HTMLPreview:
        return HTMLPreview(str(embed_figure(self.load(), self._filepath.stem)))


class FigureFolderDataset(LocalDataset[Mapping[str, bytes], dict[str, bytes]]):
    """A folder of figures, name to content; kedro-viz shows the first one by name."""

    def load(self) -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in sorted(self._filepath.iterdir())}

    def save(self, data: Mapping[str, bytes]) -> None:
        self._filepath.mkdir(parents=True, exist_ok=True)
        for name, content in data.items():
            (self._filepath / name).write_bytes(content)

    def preview(self) -> HTMLPreview:
        first = next(iter(self.load().items()), None)
        return HTMLPreview(str(embed_figure(first[1], first[0])) if first else "")


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
