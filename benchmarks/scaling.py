"""What must grow no faster than the pictures: seconds of the processor and memory, as JSON.

Each measurement runs in a process of its own. With ``--before`` the same is measured with the
code of another checkout, in turn, so that both see the same load of the machine.

Usage: python benchmarks/scaling.py [--before CHECKOUT] [NAME …]
"""

from __future__ import annotations

import argparse
import io
import json
import os
import resource
import subprocess
import sys
import tarfile
import tempfile
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

ROOT = Path(__file__).parents[1]
MEASUREMENTS: dict[str, tuple[Callable[[int], dict[str, float]], list[int]]] = {}
Measurement = Callable[[int], dict[str, float]]


def measurement(*counts: int) -> Callable[[Measurement], Measurement]:
    """Add a measurement that is taken with each of these numbers of pictures."""

    def register(function: Measurement) -> Measurement:
        MEASUREMENTS[function.__name__] = function, list(counts)
        return function

    return register


@measurement(16_000, 64_000)
def rename(count: int) -> dict[str, float]:
    """A folder of pictures has another name: what the plan says of it."""
    from graft.caching.snapshots import count_changes

    old = {f"old/{number}.jpg": f"{number:064x}" for number in range(count)}
    new = {f"new/{number}.jpg": f"{number:064x}" for number in range(count)}
    started = time.process_time()
    assert count_changes(old, new).endswith("renamed")
    return {"seconds": time.process_time() - started}


@measurement(5_000, 20_000)
def look_alikes(count: int) -> dict[str, float]:
    """All pictures look alike: up to four of 64 bits differ from one hash."""
    from clustering import make_index, read_parameters
    from graft.pipelines.ingestion.labels import cluster_pictures
    from graft.pipelines.splitting.nodes import split_images

    random = np.random.default_rng(0)
    hashes = np.zeros(2 * count, np.uint64)
    for _ in range(4):
        hashes ^= np.uint64(1) << random.integers(0, 64, 2 * count).astype(np.uint64)
    hashes = random.permutation(np.unique(hashes))[:count]
    index = make_index(len(hashes))
    index["perceptual_hash"] = pd.Series([f"{n:016x}" for n in hashes.tolist()], dtype="str")
    started = time.process_time()
    found = cluster_pictures(index, radius=4)
    # They are one cluster, which cannot be divided: to splitting go thirty of them and others.
    few = pd.concat([index.head(30), make_index(3_000).tail(2_000)], ignore_index=True)
    apart = cluster_pictures(few, radius=4)
    split_images(apart.index, apart.links, None, read_parameters())
    return {
        "seconds": time.process_time() - started,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "clusters": int(found.index["cluster"].nunique()),
    }


@measurement(1_250, 5_000)
def dev_loss(count: int) -> dict[str, float]:
    """The loss on dev by which a model is chosen, with 1,000 classes."""
    from graft.pipelines.selection.nodes import measure_dev_loss

    labels = [f"class {number}" for number in range(1_000)]
    probabilities = np.random.default_rng(0).dirichlet(np.ones(1_000), count)
    table = pd.DataFrame(probabilities, columns=[f"probability_{label}" for label in labels])
    table.insert(0, "label", [labels[number % 1_000] for number in range(count)])
    table.insert(0, "split", "dev")
    tracemalloc.start()
    started = time.process_time()
    measure_dev_loss(table)
    seconds = time.process_time() - started
    return {"seconds": seconds, "peak_mb": tracemalloc.get_traced_memory()[1] / 1e6}


@measurement(250, 1_000)
def archive(count: int) -> dict[str, float]:
    """A ``.tar.gz`` of pictures of 50 kB is loaded by four nodes of a run, and then left."""
    from graft.datasets import ClassFoldersDataset
    from graft.sources import stores

    random = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "pictures.tar.gz")
        with tarfile.open(path, "w:gz", compresslevel=1) as tar:
            for number in range(count):
                member = tarfile.TarInfo(f"{'ab'[number % 2]}/{number}.jpg")
                member.size = 50_000
                tar.addfile(member, io.BytesIO(random.bytes(member.size)))
        dataset = ClassFoldersDataset(filepath=str(path))
        started = time.process_time()
        sources = [dataset.load() for _ in range(4)]
        seconds = time.process_time() - started
        getattr(stores, "close_archives", int)()
        held = [
            os.path.realpath(f"/proc/self/fd/{number}") for number in os.listdir("/proc/self/fd")
        ]
        return {"seconds": seconds, "handles_left": held.count(str(path)), "loads": len(sources)}


def measure(name: str, count: int, checkout: Path) -> dict[str, Any]:
    """Take one measurement in a process of its own, with the code of a checkout."""
    places = [checkout / "src", checkout / "benchmarks"]
    done = subprocess.run(
        [sys.executable, str(Path(__file__).resolve()), "--only-here", name, str(count)],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(map(str, places))},
    )
    return json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", default=list(MEASUREMENTS))
    parser.add_argument("--before", type=Path)
    parser.add_argument("--only-here", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.only_here:
        name, count = options.names
        print(json.dumps(MEASUREMENTS[name][0](int(count))))
        return
    checkouts = {"now": ROOT} | ({"before": options.before} if options.before else {})
    found: dict[str, Any] = {}
    for name in options.names:
        for count in MEASUREMENTS[name][1]:
            for when, checkout in checkouts.items():
                result = measure(name, count, checkout.resolve())
                found.setdefault(name, {}).setdefault(str(count), {})[when] = result
    print(json.dumps(found))


if __name__ == "__main__":
    main()
