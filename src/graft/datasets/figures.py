"""Catalog types for what people look at: figures and web pages."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from pathlib import Path
from typing import NewType

from kedro_datasets.matplotlib import MatplotlibDataset

from graft.datasets.atomic import LocalDataset

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
