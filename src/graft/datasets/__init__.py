"""Catalog types that kedro-datasets lacks: image sources, arrays, features, models, figures.

In a catalog they are named by this package: ``type: graft.datasets.AtomicDataset``. A module is
imported when one of its types is asked for: who needs one type does not load what all of them
need, and what knows no pictures can use :mod:`graft.datasets.atomic`.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

_TYPES = {
    "arrays": ["NumpyArrayDataset", "TracedArrayDataset", "WeightsDataset"],
    "atomic": ["AtomicDataset", "PreviousDataset"],
    "environments": ["EnvironmentDataset"],
    "file_trees": ["FileTreeDataset"],
    "forward_exports": ["ForwardExportsDataset"],
    "features": ["FeatureShardsDataset"],
    "figures": ["CSVDataset", "FigureDataset", "FigureFolderDataset", "HTMLDataset"],
    "image_sources": [
        "ClassFoldersDataset",
        "DigitsDataset",
        "IdxDataset",
        "KerasImagesDataset",
        "LabelLineDataset",
        "LabelTableDataset",
        "LabelReviewDataset",
        "LabelledFileNamesDataset",
        "PlainFilesDataset",
        "SeveralSourcesDataset",
        "TrackFoldersDataset",
    ],
    "row_shards": ["RowShardsDataset"],
    "keras_model": ["ChampionDataset", "ChampionInUseDataset", "KerasModelDataset"],
    "training_folders": ["LogFolderDataset", "TrainingBackupDataset"],
}
_MODULE_OF = {name: module for module, names in _TYPES.items() for name in names}

__all__ = sorted(_MODULE_OF)


def __getattr__(name: str) -> Any:
    if name not in _MODULE_OF:
        raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
    return getattr(import_module(f"{__name__}.{_MODULE_OF[name]}"), name)


def __dir__() -> list[str]:
    return [*globals(), *__all__]
