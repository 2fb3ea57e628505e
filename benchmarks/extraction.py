"""Pictures/s of the extraction stage, from memory map to Parquet, and of the bare network.

Both pass the same 640 pictures through MobileNetV2 at 224 in batches of 32, in turn, five times.
"""

from __future__ import annotations

import json
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from graft.datasets import AtomicDataset
from graft.models.backbones import build_backbone
from graft.pipelines.feature_extraction.nodes import extract_features
from graft.pipelines.feature_extraction.parameters import FeatureExtractionParameters
from graft.training.devices import seed_everything

COUNT, BATCH, ROUNDS = 640, 32, 5


def measure(work: Callable[[], object]) -> float:
    """Pictures/s."""
    started = time.perf_counter()
    work()
    return COUNT / (time.perf_counter() - started)


def main() -> None:
    """Measure in turn and print the medians as JSON."""
    seed_everything(0)
    backbone = build_backbone("MobileNetV2", 224, "random", seed=0)
    pictures = np.random.default_rng(0).integers(0, 256, (COUNT, 224, 224, 3), dtype=np.uint8)
    names = [f"{number}.jpg" for number in range(COUNT)]
    splits = pd.DataFrame({"image_id": names})
    index = pd.DataFrame({"image_id": names, "sha256": names})
    origins = pd.DataFrame({"image_id": names, "origin": names})
    with tempfile.TemporaryDirectory() as folder:
        images = AtomicDataset(
            filepath=Path(folder, "images.npy"), dataset="graft.datasets.NumpyArrayDataset"
        )
        images.save(pictures)
        features = AtomicDataset(
            filepath=Path(folder, "features"), dataset="graft.datasets.FeatureShardsDataset"
        )
        parameters = FeatureExtractionParameters(batch_size=BATCH)

        def extract() -> None:
            features.save(
                extract_features(backbone, images.load(), origins, splits, index, None, parameters)
            )

        def predict() -> None:
            backbone.predict(pictures, batch_size=BATCH, verbose=0)

        extract(), predict()
        rates = [(measure(extract), measure(predict)) for _ in range(ROUNDS)]
    result = {
        "extraction": statistics.median(rate for rate, _ in rates),
        "predict": statistics.median(rate for _, rate in rates),
        "ratio": statistics.median(rate / limit for rate, limit in rates),
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
