"""Cluster and split an index of a million synthetic pictures; print time and memory as JSON.

Usage: python benchmarks/clustering.py [COUNT]

One picture in ten is a near copy of another, one in twenty an exact copy, a third lies in
groups of ten; 100 classes.
"""

from __future__ import annotations

import hashlib
import json
import resource
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import yaml

from graft.pipelines.ingestion.labels import cluster_pictures
from graft.pipelines.splitting.nodes import split_images
from graft.pipelines.splitting.parameters import SplittingParameters

ROOT = Path(__file__).parents[1]


def make_index(count: int) -> pd.DataFrame:
    """Rows as ``check_images`` makes them, as far as clustering and splitting read them."""
    random = np.random.default_rng(0)
    numbers = np.arange(count)
    hashes = random.integers(0, 2**64, count, dtype=np.uint64)
    near = count // 10
    flips = np.uint64(1) << random.integers(0, 64, near).astype(np.uint64)
    hashes[:near] = hashes[near : 2 * near] ^ flips
    contents = [hashlib.sha256(str(n - (n % 20 == 1)).encode()).hexdigest() for n in numbers]
    index = pd.DataFrame(
        {
            "image_id": [f"{n}.jpg" for n in numbers],
            "label": (numbers // 10 % 100).astype(str),
            "group": pd.Series((numbers // 10).astype(str)).where(numbers // 10 % 3 == 0),
            "source": None,
            "weight": None,
            "sha256": contents,
            "pixel_sha256": contents,
            "perceptual_hash": [f"{n:016x}" for n in hashes],
            "status": "ok",
            "reason": "",
        }
    )
    return index.astype("str")


def read_parameters() -> SplittingParameters:
    """The parameters of the base environment, with their references resolved."""
    text = (ROOT / "conf/base/parameters_splitting.yml").read_text()
    values = yaml.safe_load(text)["splitting"]
    return SplittingParameters(**{**values, "near_duplicate_radius": 4, "seed": 42})


def main() -> None:
    """Measure and print."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    index = make_index(count)
    started = time.perf_counter()
    clustered = cluster_pictures(index, radius=4)
    clustering = time.perf_counter() - started
    splits, _, _ = split_images(clustered.index, clustered.links, None, read_parameters())
    total = time.perf_counter() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2
    print(
        json.dumps(
            {
                "pictures": count,
                "clusters": int(splits["cluster"].nunique()),
                "clustering_s": clustering,
                "total_s": total,
                "peak_gib": peak,
            }
        )
    )


if __name__ == "__main__":
    main()
