"""Small inputs for the stages: eighteen pictures of two colours, and what becomes of them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from graft.datasets.features import FeatureBlock, FeatureShardsDataset, FeatureTable
from graft.sources.source import ImageSource, Record, make_records
from helpers.pictures import encode, hash_files

COUNT = 18


@pytest.fixture
def source() -> ImageSource:
    """Nine dark and nine light pictures of 12×10 pixels, each of another shade."""
    files = {}
    for number in range(COUNT):
        shade = number if number % 2 else 255 - number
        files[f"{number:02d}.png"] = encode(np.full((10, 12, 3), shade, np.uint8))
    labels = ["light" if number % 2 == 0 else "dark" for number in range(COUNT)]
    return ImageSource(make_records(map(Record, files, labels)), files.__getitem__)


@pytest.fixture
def splits(source: ImageSource) -> pd.DataFrame:
    """Ten pictures to train on, four of dev, four of test; classes in turn."""
    parts = ["train"] * 10 + ["dev"] * 4 + ["test"] * 4
    return pd.DataFrame(
        {
            "image_id": [f"{number:02d}.png" for number in range(COUNT)],
            "label": ["light", "dark"] * (COUNT // 2),
            "label_index": np.tile(np.array([1, 0], np.int32), COUNT // 2),
            "group": pd.Series([None] * COUNT, dtype="str"),
            "sha256": hash_files(source),
            "cluster": np.arange(COUNT),
            "split": pd.Series(parts, dtype="str"),
        }
    )


@pytest.fixture
def features(tmp_path, splits: pd.DataFrame) -> FeatureTable:
    """Features of four numbers in which the classes lie apart."""
    random = np.random.default_rng(0)
    vectors = random.normal(size=(COUNT, 4)).astype(np.float32)
    vectors[:, 0] += 6 * splits["label_index"]
    keys = pd.DataFrame(
        {"image_id": splits["image_id"], "image_sha256": splits["image_id"], "view": np.int16(0)}
    )
    dataset = FeatureShardsDataset(filepath=str(tmp_path / "features"))
    dataset.save([FeatureBlock(keys, vectors)])
    return dataset.load()
