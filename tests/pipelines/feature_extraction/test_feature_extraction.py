"""Feature extraction: one vector a picture, the same bytes whatever else is in the run."""

from __future__ import annotations

import logging
import shutil

import keras
import numpy as np
import pandas as pd
import pytest
from kedro.io import DataCatalog, MemoryDataset
from kedro.runner import SequentialRunner

from graft.backends.backend import Accelerator, load_backend
from graft.compute.shards import ShardStore
from graft.datasets import FeatureShardsDataset
from graft.datasets.features import FeatureTable
from graft.errors import GraftError
from graft.models.kept_exports import KeptExports
from graft.parameters.base import BackboneParameters
from graft.parameters.compute import HERE
from graft.parameters.forward import ForwardParameters
from graft.pipelines.feature_extraction import create_pipeline
from graft.pipelines.feature_extraction.nodes import build_backbone, extract_features
from graft.pipelines.feature_extraction.parameters import FeatureExtractionParameters
from helpers.pictures import trace_images

BACKBONE = BackboneParameters(name="small_cnn", weights="printed_letters", image_size=8, seed=0)


@pytest.fixture(scope="module")
def backbone() -> keras.Model:
    """One for all tests, which only pass pictures through it."""
    return build_backbone(BACKBONE)


@pytest.fixture
def images(splits: pd.DataFrame) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (len(splits), 8, 8, 3), dtype=np.uint8)


@pytest.fixture
def index(splits: pd.DataFrame) -> pd.DataFrame:
    rows = pd.DataFrame({"image_id": splits["image_id"], "sha256": "sha " + splits["image_id"]})
    return rows.sample(frac=1, random_state=0)


def test_the_pipeline_makes_backbone_and_features(
    images: np.ndarray, index: pd.DataFrame, splits: pd.DataFrame, tmp_path
) -> None:
    catalog = DataCatalog(
        {
            "images": MemoryDataset(images),
            "image_origins": MemoryDataset(trace_images(images)),
            "image_index": MemoryDataset(index),
            "splits": MemoryDataset(splits),
            "previous_features": MemoryDataset(None),
            "params:backbone": MemoryDataset(BACKBONE),
            "params:feature_extraction": MemoryDataset(FeatureExtractionParameters(batch_size=4)),
            "params:forward": MemoryDataset(ForwardParameters(engine="onnx")),
            "forward_exports": MemoryDataset(KeptExports(tmp_path / "exports")),
            "params:compute": MemoryDataset(HERE),
            "feature_shards": MemoryDataset(ShardStore(tmp_path / "shards")),
            "backbone": MemoryDataset(copy_mode="assign"),
            "features": FeatureShardsDataset(filepath=str(tmp_path / "features")),
        }
    )
    features = SequentialRunner().run(create_pipeline(), catalog)["features"].load()
    assert len(features) == len(splits)
    assert features.keys["image_id"].tolist() == splits["image_id"].tolist()
    assert features.keys["image_sha256"].tolist() == ("sha " + splits["image_id"]).tolist()
    assert (features.keys["view"] == 0).all()
    assert len(list((tmp_path / "exports").glob("*.onnx"))) == 1


@pytest.mark.parametrize("engine", ["keras", "onnx"])
def test_a_picture_has_the_same_features_whatever_else_is_in_the_run(
    backbone: keras.Model,
    images: np.ndarray,
    index: pd.DataFrame,
    splits: pd.DataFrame,
    engine: str,
) -> None:
    def extract(rows: np.ndarray) -> np.ndarray:
        blocks = extract_features(
            backbone,
            images[rows],
            trace_images(images[rows]),
            splits.iloc[rows].reset_index(drop=True),
            index,
            None,
            FeatureExtractionParameters(batch_size=4),
            ForwardParameters(engine=engine),
        )
        return np.concatenate([block.features for block in blocks])

    everything = extract(np.arange(len(splits)))
    some = np.array([11, 3, 17])
    assert extract(some).tobytes() == everything[some].tobytes()


def test_features_are_what_the_model_predicts(
    backbone: keras.Model, images: np.ndarray, index: pd.DataFrame, splits: pd.DataFrame
) -> None:
    blocks = extract_features(
        backbone,
        images,
        trace_images(images),
        splits,
        index,
        None,
        FeatureExtractionParameters(batch_size=5),
    )
    features = np.concatenate([block.features for block in blocks])
    np.testing.assert_allclose(features, backbone.predict(images, verbose=0), atol=1e-5)


def test_bfloat16_is_for_devices_that_compute_faster_with_it(
    backbone: keras.Model,
    images: np.ndarray,
    index: pd.DataFrame,
    splits: pd.DataFrame,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def extract(precision: str) -> np.ndarray:
        parameters = FeatureExtractionParameters(batch_size=5, precision=precision)
        blocks = extract_features(
            backbone, images, trace_images(images), splits, index, None, parameters
        )
        return np.concatenate([block.features for block in blocks])

    plain = extract("float32")
    assert extract("auto").tobytes() == plain.tobytes()
    with pytest.raises(GraftError, match=r"^feature_extraction\.precision: this device \(CPU\)"):
        extract("mixed_bfloat16")
    gpu = Accelerator("a GPU", is_quick_in_bfloat16=True)
    monkeypatch.setattr(load_backend(), "list_accelerators", lambda: [gpu])
    rounded = extract("auto")
    assert rounded.dtype == np.float32
    assert 0 < np.abs(rounded - plain).max() < 0.05 * np.abs(plain).max()
    assert {layer.compute_dtype for layer in backbone.layers} == {"float32"}


def test_another_engine_takes_nothing_over(
    backbone: keras.Model,
    images: np.ndarray,
    index: pd.DataFrame,
    splits: pd.DataFrame,
    tmp_path,
    caplog,
) -> None:
    """A table of features is of one engine, whatever stood there before."""
    shards = FeatureShardsDataset(filepath=str(tmp_path / "features"))
    origins = trace_images(images)

    def extract(engine: str, previous: FeatureTable | None) -> list[str]:
        blocks = extract_features(
            backbone, images, origins, splits, index, previous,
            FeatureExtractionParameters(batch_size=4), ForwardParameters(engine=engine),
        )  # fmt: skip
        made = list(blocks)
        shutil.rmtree(tmp_path / "features", ignore_errors=True)
        shards.save(made)
        return [message for message in caplog.messages if message.startswith("Features")]

    with caplog.at_level(logging.INFO, logger="graft"):
        extract("keras", None)
        extract("onnx", shards.load())
        told = extract("onnx", shards.load())
    count = len(splits)
    assert told == [
        f"Features     {count} pictures computed, 0 known",
        f"Features     0 pictures computed, {count} known",
    ]
