"""Pictures/s of the extraction stage, from memory map to Parquet, and of what it could be at most.

The same 640 pictures of cats and dogs pass MobileNetV2 at 224, with its ImageNet weights, in turn,
three times: through the stage on ONNX Runtime (converting and the comparison with Keras included,
and without, as when the converted network is kept), through the stage on Keras, through
`model.predict` in batches of 32, and through a bare session of ONNX Runtime, which is the limit.

Usage: python benchmarks/extraction.py [--shared FOLDER]
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Literal

import numpy as np
import onnxruntime
import pandas as pd

from graft.backends.onnx_conversion import convert_to_onnx
from graft.compute.streams import count_workers
from graft.datasets import AtomicDataset
from graft.images.decoding import decode_picture
from graft.models.backbones import build_backbone
from graft.models.kept_exports import KeptExports
from graft.parameters.forward import ForwardParameters
from graft.pipelines.feature_extraction.nodes import extract_features
from graft.pipelines.feature_extraction.parameters import FeatureExtractionParameters
from graft.training.devices import seed_everything

COUNT, BATCH, ROUNDS, SIZE = 640, 32, 3, 224


def measure(work: Callable[[], object]) -> float:
    """Pictures/s."""
    started = time.perf_counter()
    work()
    return COUNT / (time.perf_counter() - started)


def read_pictures(folder: Path) -> np.ndarray:
    """Cats and dogs by turns, uint8."""
    names = [f"{label}.{number}.jpg" for number in range(COUNT // 2) for label in ("cat", "dog")]
    return np.stack([decode_picture((folder / name).read_bytes(), SIZE, 10**8) for name in names])


def main() -> None:
    """Measure in turn and print the medians as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shared", type=Path, default=Path(__file__).parents[2] / "shared")
    shared = parser.parse_args().shared.resolve()
    seed_everything(0)
    weights = str(shared / "weights/mobilenet_v2_imagenet_no_top.weights.h5")
    backbone = build_backbone("MobileNetV2", SIZE, weights, seed=0)
    pictures = read_pictures(shared / "data/cats_vs_dogs")
    names = [f"{number}.jpg" for number in range(COUNT)]
    splits = pd.DataFrame({"image_id": names})
    index = pd.DataFrame({"image_id": names, "sha256": names})
    origins = pd.DataFrame({"image_id": names, "origin": names})
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(convert_to_onnx(backbone), options)
    (given,) = session.get_inputs()
    with tempfile.TemporaryDirectory() as folder:
        images = AtomicDataset(
            filepath=Path(folder, "images.npy"), dataset="graft.datasets.NumpyArrayDataset"
        )
        images.save(pictures)
        features = AtomicDataset(
            filepath=Path(folder, "features"), dataset="graft.datasets.FeatureShardsDataset"
        )
        parameters = FeatureExtractionParameters(batch_size=BATCH)
        kept = KeptExports(Path(folder, "exports"))

        def extract(engine: Literal["onnx", "keras"], exports: KeptExports | None = None) -> None:
            features.save(
                extract_features(
                    backbone,
                    images.load(),
                    origins,
                    splits,
                    index,
                    None,
                    parameters,
                    ForwardParameters(engine=engine),
                    exports,
                )
            )

        def pass_bare() -> None:
            with ThreadPoolExecutor(count_workers()) as threads:
                list(threads.map(lambda one: session.run(None, {given.name: one[None]}), pictures))

        works: dict[str, Callable[[], object]] = {
            "first": lambda: extract("onnx"),
            "extraction": lambda: extract("onnx", kept),
            "keras": lambda: extract("keras"),
            "predict": lambda: backbone.predict(pictures, batch_size=BATCH, verbose=0),
            "limit": pass_bare,
        }
        for work in works.values():
            work()
        rounds = [{name: measure(work) for name, work in works.items()} for _ in range(ROUNDS)]
    result = {name: statistics.median(found[name] for found in rounds) for name in works}
    ratios = {
        "ratio": ("extraction", "predict"), "ratio_first": ("first", "predict"),
        "ratio_keras": ("keras", "predict"), "share_of_limit": ("extraction", "limit"),
    }  # fmt: skip
    for name, (mine, other) in ratios.items():
        result[name] = statistics.median(found[mine] / found[other] for found in rounds)
    print(json.dumps(result))


if __name__ == "__main__":
    main()
