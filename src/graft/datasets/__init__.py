"""Catalog types that kedro-datasets lacks: image sources, arrays, features, models, figures.

In a catalog they are named by this package: ``type: graft.datasets.AtomicDataset``.
"""

from graft.datasets.arrays import NumpyArrayDataset, WeightsDataset
from graft.datasets.atomic import AtomicDataset
from graft.datasets.features import FeatureShardsDataset
from graft.datasets.figures import FigureDataset, HTMLDataset
from graft.datasets.image_sources import (
    ClassFoldersDataset,
    DigitsDataset,
    LabelledFileNamesDataset,
)
from graft.datasets.keras_model import KerasModelDataset
from graft.datasets.tables import LibraryTableDataset, TableFileDataset
from graft.datasets.texts import KerasTextsDataset, TokenTablesDataset
from graft.datasets.training_folders import LogFolderDataset, TrainingBackupDataset

__all__ = [
    "AtomicDataset",
    "ClassFoldersDataset",
    "DigitsDataset",
    "FeatureShardsDataset",
    "FigureDataset",
    "HTMLDataset",
    "KerasModelDataset",
    "KerasTextsDataset",
    "LabelledFileNamesDataset",
    "LibraryTableDataset",
    "LogFolderDataset",
    "NumpyArrayDataset",
    "TableFileDataset",
    "TokenTablesDataset",
    "TrainingBackupDataset",
    "WeightsDataset",
]
