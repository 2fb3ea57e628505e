"""Pictures/s of `check_images`, whole decode included, and of Pillow that only decodes.

Both take the same JPEG files in two processes, in turn, five times. Pillow's processes run
before the clock does; those of `check_images` start within it, as in a run. The processors' time is
measured too, Pillow's in this process: on a machine that others share it is what can be compared.

Usage: python benchmarks/indexing.py FOLDER
"""

from __future__ import annotations

import io
import json
import multiprocessing
import resource
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

from PIL import Image

from graft.pipelines.ingestion.nodes import check_images
from graft.pipelines.ingestion.parameters import IngestionParameters
from graft.sources.labelled_file_names import read_labelled_file_names
from run import end_decoders

WORKERS, ROUNDS = 2, 5
PARAMETERS = IngestionParameters(
    min_side=4,
    max_pixels=80_000_000,
    seconds_per_picture=20.0,
    memory_mb=1536,
    near_duplicate_radius=None,
    label_conflicts="keep",
    workers=WORKERS,
)


def decode(path: Path) -> None:
    """What Pillow alone does."""
    Image.open(io.BytesIO(path.read_bytes())).convert("RGB")


def measure(work: Callable[[], object], count: int) -> float:
    """Pictures/s."""
    started = time.perf_counter()
    work()
    return count / (time.perf_counter() - started)


def count_seconds() -> float:
    """Of the processors, spent by this process and by those that it started and that have ended."""
    end_decoders()
    used = map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in used)


def measure_processors(work: Callable[[], object], count: int) -> float:
    """Milliseconds of the processors a picture."""
    started = count_seconds()
    work()
    return 1000 * (count_seconds() - started) / count


def main() -> None:
    """Measure in turn and print the medians as JSON."""
    folder = Path(sys.argv[1])
    source = read_labelled_file_names(folder, r"(?P<label>\w+)\.\d+\.jpg")
    paths = [folder / image_id for image_id in source.records["image_id"]]
    with multiprocessing.get_context("spawn").Pool(WORKERS) as pool:

        def decode_all() -> None:
            for _ in pool.imap(decode, paths, chunksize=8):
                pass

        def index_all() -> None:
            check_images(source, None, PARAMETERS)

        decode_all()
        index_all()
        rates = [
            (measure(index_all, len(paths)), measure(decode_all, len(paths))) for _ in range(ROUNDS)
        ]

        def decode_here() -> None:
            for path in paths:
                decode(path)

        costs = [
            tuple(measure_processors(work, len(paths)) for work in (index_all, decode_here))
            for _ in range(ROUNDS)
        ]
    result = {
        "indexing": statistics.median(rate for rate, _ in rates),
        "pillow": statistics.median(rate for _, rate in rates),
        "ratio": statistics.median(rate / limit for rate, limit in rates),
        "indexing_ms": statistics.median(mine for mine, _ in costs),
        "pillow_ms": statistics.median(others for _, others in costs),
        "ratio_of_processors": statistics.median(others / mine for mine, others in costs),
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
