"""A small backbone with a head, and its features as the stage before stores them."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pandas as pd

from graft.datasets.features import FeatureBlock, FeatureShardsDataset, FeatureTable
from graft.models.backbones import build_backbone
from graft.models.heads import build_head
from graft.parameters.training import HeadTrainingParameters
from graft.training.fitting import fit
from graft.training.heads_on_features import prepare_features, prepare_head

CLASSES = ["dark", "light"]
OFF = {"rotation": 0, "zoom": 0, "shift": 0, "shear": 0, "horizontal_flip": False,
       "fill_mode": "nearest", "brightness": 0, "contrast": 0}  # fmt: skip
HEAD = HeadTrainingParameters(
    dropout=0.0, learning_rate=0.01, batch_size=8, epochs=20, patience=20, seed=0
)


def make_models() -> tuple[keras.Model, keras.Model]:
    """A backbone that has learnt printed letters, for pictures of 8×8, and an untrained head."""
    backbone = build_backbone("small_cnn", 8, "printed_letters", seed=0)
    return backbone, build_head(384, 2, dropout=0.2, weight_decay=0.0, seed=0)


def extract(images: np.ndarray, splits: pd.DataFrame, folder: Path) -> FeatureTable:
    """What the backbone of :func:`make_models` gives for pictures."""
    vectors = make_models()[0].predict(images, verbose=0)
    keys = pd.DataFrame(
        {"image_id": splits["image_id"], "image_sha256": splits["image_id"], "view": np.int16(0)}
    )
    dataset = FeatureShardsDataset(filepath=str(folder / "features_of_backbone"))
    dataset.save([FeatureBlock(keys, vectors)])
    return dataset.load()


def train_head(
    features: FeatureTable, splits: pd.DataFrame, parameters: HeadTrainingParameters = HEAD
) -> keras.Model:
    """A head that has learnt from the pictures of train."""
    head = prepare_head(features.dimension, len(CLASSES), parameters)
    train, dev, _ = prepare_features(features, splits, len(CLASSES), parameters)
    fit(head, train, dev, parameters)
    return head
