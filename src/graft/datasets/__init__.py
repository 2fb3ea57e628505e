"""Catalog types that kedro-datasets lacks: image sources, arrays, features, models, figures.

In a catalog they are named by this package: ``type: graft.datasets.AtomicDataset``.
"""

from graft.datasets.arrays import NumpyArrayDataset, TracedArrayDataset, WeightsDataset
from graft.datasets.atomic import AtomicDataset, PreviousDataset
from graft.datasets.champion import ChampionDataset
from graft.datasets.csv_tables import CSVDataset
from graft.datasets.features import FeatureShardsDataset
from graft.datasets.figures import FigureDataset, FigureFolderDataset, HTMLDataset
from graft.datasets.image_sources import (
    ClassFoldersDataset,
    DigitsDataset,
    IdxDataset,
    KerasImagesDataset,
    LabelledFileNamesDataset,
    LabelLineDataset,
    LabelReviewDataset,
    LabelTableDataset,
    TrackFoldersDataset,
)
from graft.datasets.keras_model import KerasModelDataset
from graft.datasets.training_folders import LogFolderDataset, TrainingBackupDataset

__all__ = [
    "AtomicDataset",
    "CSVDataset",
    "ChampionDataset",
    "ClassFoldersDataset",
    "DigitsDataset",
    "FeatureShardsDataset",
    "FigureDataset",
    "FigureFolderDataset",
    "HTMLDataset",
    "IdxDataset",
    "KerasImagesDataset",
    "KerasModelDataset",
    "LabelLineDataset",
    "LabelReviewDataset",
    "LabelTableDataset",
    "LabelledFileNamesDataset",
    "LogFolderDataset",
    "NumpyArrayDataset",
    "PreviousDataset",
    "TracedArrayDataset",
    "TrackFoldersDataset",
    "TrainingBackupDataset",
    "WeightsDataset",
]
