"""Peak memory of one stage on so many pictures: python memory.py decoding|extraction COUNT."""

from __future__ import annotations

import hashlib
import json
import resource
import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from graft.datasets import AtomicDataset, ClassFoldersDataset
from run import end_decoders

SIZE = 224


def make_pictures(folder: Path, count: int) -> None:
    """JPEG files of 500×375 smooth random colours, in two classes."""
    random = np.random.default_rng(0)
    for number in range(count):
        path = folder / f"class_{number % 2}" / f"{number}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = random.integers(0, 256, (6, 8, 3), dtype=np.uint8)
        Image.fromarray(pixels).resize((500, 375), Image.Resampling.BICUBIC).save(path)


def decode(folder: Path, count: int) -> None:
    """Run the decoding stage."""
    from graft.parameters.pictures import DecodingParameters
    from graft.pipelines.decoding.nodes import decode_images

    make_pictures(folder / "pictures", count)
    source = ClassFoldersDataset(filepath=str(folder / "pictures")).load()
    parameters = DecodingParameters(
        image_size=SIZE,
        max_pixels=80_000_000,
        seconds_per_picture=20.0,
        memory_mb=1536,
        workers=None,
    )
    images = AtomicDataset(
        filepath=folder / "images.npy", dataset="graft.datasets.NumpyArrayDataset"
    )
    contents = [
        hashlib.sha256(source.read(name)).hexdigest() for name in source.records["image_id"]
    ]
    splits = source.records[["image_id"]].assign(sha256=contents)
    images.save(decode_images(source, splits, None, parameters)[0])


def extract(folder: Path, count: int) -> None:
    """Run the extraction stage on pixels that are written without standing in memory."""
    from graft.compute.streams import RowStream
    from graft.models.backbones import build_backbone
    from graft.pipelines.feature_extraction.nodes import extract_features
    from graft.pipelines.feature_extraction.parameters import FeatureExtractionParameters

    random = np.random.default_rng(0)
    shape = (SIZE, SIZE, 3)
    rows = ((row, random.integers(0, 256, shape, dtype=np.uint8)) for row in range(count))
    images = AtomicDataset(
        filepath=folder / "images.npy", dataset="graft.datasets.NumpyArrayDataset"
    )
    images.save(RowStream((count, *shape), "uint8", rows))
    names = [f"{number}.jpg" for number in range(count)]
    features = AtomicDataset(
        filepath=folder / "features", dataset="graft.datasets.FeatureShardsDataset"
    )
    features.save(
        extract_features(
            build_backbone("MobileNetV2", SIZE, "random", seed=0),
            images.load(),
            pd.DataFrame({"image_id": names, "origin": names}),
            pd.DataFrame({"image_id": names}),
            pd.DataFrame({"image_id": names, "sha256": names}),
            None,
            FeatureExtractionParameters(batch_size=32),
        )
    )


def main() -> None:
    """Run the stage and print the peak of the resident memory, in MB, as JSON."""
    stage, count = sys.argv[1], int(sys.argv[2])
    with tempfile.TemporaryDirectory() as folder:
        {"decoding": decode, "extraction": extract}[stage](Path(folder), count)
    end_decoders()
    # The process itself, and the largest of those that decode for it.
    peak = sum(
        resource.getrusage(who).ru_maxrss
        for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    )
    print(json.dumps({"peak_mb": peak / 1024}))


if __name__ == "__main__":
    main()
