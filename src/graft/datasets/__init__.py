"""Catalog types that kedro-datasets lacks: image sources, arrays, features, models, figures.

In a catalog they are named by this package: ``type: graft.datasets.AtomicDataset``.
"""

from graft.datasets.array_sources import DigitsDataset, IdxDataset, KerasImagesDataset
from graft.datasets.arrays import NumpyArrayDataset, TracedArrayDataset, WeightsDataset
from graft.datasets.atomic import AtomicDataset
from graft.datasets.champion import ChampionDataset
from graft.datasets.csv_tables import CSVDataset
from graft.datasets.features import FeatureShardsDataset
from graft.datasets.figures import FigureDataset, FigureFolderDataset, HTMLDataset
from graft.datasets.former import FormerDataset
from graft.datasets.image_sources import (
    ClassFoldersDataset,
    LabelledFileNamesDataset,
    TrackFoldersDataset,
)
from graft.datasets.keras_model import KerasModelDataset
from graft.datasets.label_sources import LabelLineDataset, LabelTableDataset
from graft.datasets.tables import LibraryTableDataset, TableFileDataset
from graft.datasets.texts import KerasTextsDataset, TokenTablesDataset
from graft.datasets.training_folders import LogFolderDataset, TrainingBackupDataset
from graft.datasets.user_files import LabelVerdictsDataset

__all__ = [
    "AtomicDataset",
    "CSVDataset",
    "ChampionDataset",
    "ClassFoldersDataset",
    "DigitsDataset",
    "FeatureShardsDataset",
    "FigureDataset",
    "FigureFolderDataset",
    "FormerDataset",
    "HTMLDataset",
    "IdxDataset",
    "KerasImagesDataset",
    "KerasModelDataset",
    "KerasTextsDataset",
    "LabelLineDataset",
    "LabelTableDataset",
    "LabelVerdictsDataset",
    "LabelledFileNamesDataset",
    "LibraryTableDataset",
    "LogFolderDataset",
    "NumpyArrayDataset",
    "TableFileDataset",
    "TokenTablesDataset",
    "TracedArrayDataset",
    "TrackFoldersDataset",
    "TrainingBackupDataset",
    "WeightsDataset",
]
