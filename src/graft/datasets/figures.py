"""Catalog types for what people look at: figures and web pages."""

from __future__ import annotations

from pathlib import Path
from typing import NewType

from kedro_datasets.matplotlib import MatplotlibDataset

from graft.datasets.local import LocalDataset

# kedro-viz recognises the kind of a preview by this name.
HTMLPreview = NewType("HTMLPreview", str)


class FigureDataset(MatplotlibDataset):
    """A Matplotlib figure as a file that, unlike its parent's, can be read back as bytes."""

    def load(self) -> bytes:
        return Path(str(self._get_load_path())).read_bytes()


class HTMLDataset(LocalDataset[str, str]):
    """A self-contained HTML page, shown as it is in kedro-viz."""

    def load(self) -> str:
        return self._filepath.read_text(encoding="utf-8")

    def save(self, data: str) -> None:
        self._filepath.write_text(data, encoding="utf-8")

    def preview(self) -> HTMLPreview:
        return HTMLPreview(self.load())
