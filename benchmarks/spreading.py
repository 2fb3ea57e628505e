"""Pictures spread over workers of Dask: what it costs, and what is left after kills.

Usage: python benchmarks/spreading.py [--pictures N] [--kills N] [--only WHAT]

`rate`: ingestion, decoding and features of so many pictures (the shared cats and dogs, again and
again) in one process and on two workers, seconds of each stage with the start of the workers.
`warm`: pictures a second of checking, decoding and features (MobileNetV2 on ONNX Runtime) alone,
here on two processors and on two workers that have worked before, in turn, median of three rounds,
and of all three together.
`overhead`: seconds of the scheduler and of storage a shard that does nothing; `million`: a million
rows of which each leaves 5 kB, as features do, and the memory of the process that takes them in.
`memory`: the peak of the largest process, of 10,000 and of 100,000 small pictures (`--small`).
`kills`: so often a worker, and so often the whole run, is ended by SIGKILL at a random moment of
ingestion, decoding or extraction, and the run is given again; the outputs are compared with those
of an undisturbed run. `poison`: one row of 10,000 ends every worker that it is given to.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from PIL import Image

from graft.compute.shards import Function, ShardStore
from graft.compute.spreading import Spread, end_workers, map_rows
from graft.compute.workers import Failure, Limits, map_isolated
from graft.images.checking import check_picture
from graft.images.colours import lend_pictures
from graft.models.passes_elsewhere import SpreadPasses, find_file, write_network
from graft.parameters.pictures import DecodingParameters
from graft.pipelines.decoding.nodes import DecodeRows, Wanted
from graft.pipelines.ingestion.reading import CheckRows
from run import throw_away_project

STAGES = ("ingestion", "splitting", "decoding", "feature_extraction")
SPREAD = "compute.engine=dask,compute.workers=2"
WHAT = ("rate", "warm", "overhead", "million", "memory", "kills", "poison")


@dataclass(frozen=True)
class Poisoned:
    """Adds one to numbers; one of them ends the process.

    Attributes:
        deaths: File to which every death adds a byte.
        poison: The number.
    """

    deaths: str
    poison: int | None

    def __call__(self, rows: Sequence[int]) -> Iterator[int]:
        for row in rows:
            if row == self.poison:
                with open(self.deaths, "ab") as file:
                    file.write(b"x")
                os.kill(os.getpid(), signal.SIGKILL)
            yield row + 1


def repeat_pictures(shared: Path, folder: Path, count: int) -> None:
    """So many pictures, each of another content, in two classes."""
    sources = sorted((shared / "data/cats_vs_dogs").rglob("*.jpg"))
    random.Random(0).shuffle(sources)
    for number in range(count):
        source = sources[number % len(sources)]
        place = folder / source.name[:3] / f"{number}.jpg"
        place.parent.mkdir(parents=True, exist_ok=True)
        # A byte behind the end of a JPEG makes another file of the same pixels.
        place.write_bytes(source.read_bytes() + number.to_bytes(4, "big"))


def start(project: Path, stages: Sequence[str], params: str) -> subprocess.Popen[bytes]:
    """A run in a process of its own."""
    command = [
        str(Path(sys.executable).with_name("kedro")), "run", "--env=own_pictures",
        f"--pipelines={','.join(stages)}", "--params", params,
    ]  # fmt: skip
    return subprocess.Popen(command, cwd=project, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def run(project: Path, stages: Sequence[str], params: str) -> float:
    """Seconds of a run."""
    began = time.perf_counter()
    process = start(project, stages, params)
    _, err = process.communicate()
    if process.returncode:
        raise SystemExit(err.decode()[-2000:])
    return time.perf_counter() - began


def hash_outputs(project: Path) -> dict[str, str]:
    """Of all that the stages make, but receipts and shards."""
    names = r"(checked_images|splits|images|image_origins|shard_\d+)\.(parquet|npy)"
    return {
        str(path.relative_to(project)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted((project / "data").rglob("*"))
        if re.fullmatch(names, path.name)
    }


def measure_rate(shared: Path, count: int, weights: Path) -> None:
    """Print seconds a stage of both."""
    print("| stage | one process, s | two workers, s | ratio |\n|---|---|---|---|")
    with throw_away_project() as project:
        pictures = project / "pictures"
        repeat_pictures(shared, pictures, count)
        given = f"source={pictures},weights={weights},forward.engine=onnx"
        for stage in STAGES:
            seconds = []
            for params in (given, f"{given},{SPREAD}"):
                kept = project / "before"
                shutil.rmtree(kept, ignore_errors=True)
                if (project / "data").exists():
                    shutil.copytree(project / "data", kept)
                seconds.append(run(project, [stage], params))
                if params == given:
                    shutil.rmtree(project / "data")
                    if kept.exists():
                        shutil.copytree(kept, project / "data")
            ratio = seconds[0] / seconds[1]
            print(f"| {stage} | {seconds[0]:.1f} | {seconds[1]:.1f} | {ratio:.2f} |", flush=True)


def read_hashed(name: str) -> tuple[bytes, str]:
    """Bytes of a file and their SHA-256."""
    data = Path(name).read_bytes()
    return data, hashlib.sha256(data).hexdigest()


def check_here(files: Sequence[str], check: Callable[..., Any], limits: Limits) -> Iterator[Any]:
    """Facts of pictures, as ingestion finds them in one process."""
    items = ({"data": read_hashed(name)[0], "crop": None} for name in files)
    yield from map_isolated(check, items, 2, limits)


def measure_warm_rate(shared: Path, count: int, weights: Path) -> None:
    """Print pictures a second of both; of all starts only that of the decoders here counts."""
    found = sorted((shared / "data/cats_vs_dogs").rglob("*.jpg"))
    files = [str(found[number % len(found)]) for number in range(count)]
    limits = Limits(60, 2000)
    settings = DecodingParameters(
        image_size=224, max_pixels=80_000_000, seconds_per_picture=60, memory_mb=2000, workers=2
    )
    check = partial(check_picture, min_side=4, max_pixels=80_000_000)
    wanted = [Wanted(name, None, read_hashed(name)[1], None) for name in files]
    work: dict[str, tuple[Callable[[], Iterable[Any]], Function, Sequence[Any]]] = {
        "checking": (
            lambda: check_here(files, check, limits),
            CheckRows(read_hashed, check, limits), [(name, None) for name in files],
        ),
        "decoding": (
            lambda: DecodeRows(read_hashed, settings, 2)(wanted),
            DecodeRows(read_hashed, settings, 1), wanted,
        ),
    }  # fmt: skip
    print("| work | one process, pictures/s | two workers | ratio |\n|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        images = np.lib.format.open_memmap(
            f"{folder}/images.npy", "w+", np.uint8, (count, 224, 224, 3)
        )
        for row, pixels in enumerate(DecodeRows(read_hashed, settings, 2)(wanted)):
            images[row] = pixels
        work["features"] = prepare_features(images, weights, ShardStore(Path(folder) / "network"))
        seconds = []
        for name, (begin, function, rows) in work.items():
            rates = np.array([list(race_once(begin, function, rows)) for _ in range(4)])[1:]
            seconds.append(1 / rates)
            print_rates(name, rates)
    print_rates("all three", 1 / np.sum(seconds, axis=0))
    end_workers()


def print_rates(name: str, rates: np.ndarray) -> None:
    """A row of the table; rates of (rounds, 2)."""
    one, two = np.median(rates, axis=0)
    ratio = np.median(rates[:, 1] / rates[:, 0])
    print(f"| {name} | {one:.0f} | {two:.0f} | {ratio:.2f} |", flush=True)


def prepare_features(
    images: np.memmap, weights: Path, store: ShardStore
) -> tuple[Callable[[], Iterable[Any]], Function, Sequence[int]]:
    """Features in one process, a function that makes them for workers, and the rows of both."""
    from graft.models.backbones import build_backbone
    from graft.models.forward_passes import open_forward
    from graft.models.inference import pass_batches

    size, rows = 32, np.arange(len(images))
    backbone = build_backbone("MobileNetV2", images.shape[1], str(weights), seed=0)
    read = partial(lend_pictures, images)
    passes = open_forward(backbone, read, rows, size, "onnx", None)

    def begin() -> Iterator[np.ndarray]:
        batches = (rows[start : start + size] for start in range(0, len(rows), size))
        for features in pass_batches(passes.run, read, batches):
            yield from features

    network = write_network(backbone, passes, size, store)
    return begin, SpreadPasses(find_file(images), network), rows.tolist()


def race_once(
    begin: Callable[[], Iterable[Any]], function: Function, rows: Sequence[Any]
) -> Iterator[float]:
    """Rows a second in one process, then on two workers."""
    with tempfile.TemporaryDirectory() as folder:
        origins = [str(row) for row in range(len(rows))]
        spread, store = Spread("dask", 2), ShardStore(Path(folder))
        for work in (begin, lambda: map_rows(function, rows, origins, spread, store)):
            began = time.perf_counter()
            assert sum(not isinstance(result, Failure) for result in work()) == len(rows)
            yield len(rows) / (time.perf_counter() - began)


def measure_overhead() -> None:
    """Print milliseconds a shard of one row."""
    with tempfile.TemporaryDirectory() as folder:
        store, rows = ShardStore(Path(folder) / "store"), list(range(1000))
        origins = [str(row) for row in rows]
        function, spread = Poisoned("", None), Spread("dask", 2, 1)
        list(map_rows(function, rows[:4], origins[:4], spread, ShardStore(Path(folder) / "warm")))
        began = time.perf_counter()
        assert list(map_rows(function, rows, origins, spread, store)) == [row + 1 for row in rows]
        print(f"overhead: {1000 * (time.perf_counter() - began) / len(rows):.1f} ms a shard")
    end_workers()


def measure_million() -> None:
    """Print rows a second, and memory, of a million rows of 1,280 numbers."""
    with tempfile.TemporaryDirectory() as folder:
        rows = range(1_000_000)
        origins = [str(row) for row in rows]
        store = ShardStore(Path(folder) / "store")
        began = time.perf_counter()
        process = psutil.Process()
        before = most = process.memory_info().rss
        made = map_rows(Vectors(), rows, origins, Spread("dask", 2, 1024), store)
        for row, vector in enumerate(made):
            assert vector[0] == row
            if row % 10_000 == 0:
                most = max(most, process.memory_info().rss)
        seconds = time.perf_counter() - began
        print(f"million: {seconds:.0f} s, {len(rows) / seconds:,.0f} rows/s; ", end="")
        print(f"memory of this process {(most - before) / 1e6:.0f} MB above {before / 1e6:.0f}")
    end_workers()


class Vectors:
    """Makes what a network makes of a picture: 1,280 numbers."""

    def __call__(self, rows: Sequence[int]) -> Iterator[np.ndarray]:
        for row in rows:
            yield np.full(1280, row, np.float32)


def measure_memory(counts: Sequence[int]) -> None:
    """Print the peak of the largest process of each stage, and its seconds."""
    random_ = np.random.default_rng(0)
    stages = [stage for stage in STAGES if stage != "splitting"]
    print(f"| pictures | {' | '.join(stages)} |\n|---|{'---|' * len(stages)}")
    for count in counts:
        with throw_away_project() as project:
            for number in range(count):
                place = project / "pictures" / f"class_{number % 2}" / f"{number}.png"
                place.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(random_.integers(0, 256, (16, 16, 3), dtype=np.uint8)).save(place)
            params = (
                f"source={project / 'pictures'},backbone.name=small_cnn,weights=random,"
                f"image_size=16,ingestion.min_side=4,{SPREAD},compute.shard_rows=1024"
            )
            told = []
            for stage in STAGES:
                began = time.perf_counter()
                process = start(project, [stage], params)
                assert process.stderr is not None
                err = process.stderr.read()
                # The largest of the process and of those that it has waited for, its workers.
                _, status, usage = os.wait4(process.pid, 0)
                if status:
                    raise SystemExit(err.decode()[-2000:])
                if stage in stages:
                    seconds = time.perf_counter() - began
                    told.append(f"{usage.ru_maxrss / 1024:.0f} MB, {seconds:.0f} s")
            print(f"| {count:,} | {' | '.join(told)} |", flush=True)


def measure_poison() -> None:
    """Print what became of 10,000 rows of which one ends workers."""
    with tempfile.TemporaryDirectory() as folder:
        rows = list(range(10_000))
        deaths = Path(folder) / "deaths"
        found = list(
            map_rows(
                Poisoned(str(deaths), 7777), rows, [str(row) for row in rows],
                Spread("dask", 2, 256), ShardStore(Path(folder) / "store"),
            )
        )  # fmt: skip
        right = sum(result == row + 1 for row, result in zip(rows, found, strict=True))
        assert isinstance(found[7777], Failure)
        print(
            f"poison: {right:,} of 10,000 rows, {len(deaths.read_bytes())} workers lost; ", end=""
        )
        print(f"the other: {found[7777].reason}")
    end_workers()


def measure_kills(shared: Path, count: int, kills: int, victims: Sequence[str]) -> None:
    """Print after every kill how many runs ended with the bytes of an undisturbed one."""
    with throw_away_project() as project:
        pictures = project / "pictures"
        repeat_pictures(shared, pictures, count)
        params = (
            f"source={pictures},backbone.name=small_cnn,weights=random,image_size=32,"
            f"{SPREAD},compute.shard_rows=20"
        )
        seconds = run(project, STAGES, params)
        expected = hash_outputs(project)
        draw = random.Random(0)
        for victim in victims:
            equal = died = 0
            for number in range(1, kills + 1):
                shutil.rmtree(project / "data")
                process = start(project, STAGES, params)
                time.sleep(draw.uniform(0.2, 0.95) * seconds)
                # Between two stages of some seconds there may be no worker: the next one counts.
                while not (is_dead := kill(process.pid, victim, draw)) and process.poll() is None:
                    time.sleep(0.1)
                died += is_dead
                process.communicate()
                run(project, STAGES, params)
                equal += hash_outputs(project) == expected
                print(f"kills of a {victim}: {died} of {number}, same bytes {equal}", flush=True)


def kill(pid: int, victim: str, draw: random.Random) -> bool:
    """End a run or one of its workers; whether there was one."""
    try:
        process = psutil.Process(pid)
        if victim == "worker":
            children = [
                child for child in process.children()
                if "spawn_main" in " ".join(child.cmdline()) and child.num_threads() > 4
            ]  # fmt: skip
            process = draw.choice(children)
        process.kill()
    except (psutil.NoSuchProcess, IndexError):
        return False
    return True


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--shared", type=Path, default=Path(__file__).parents[2] / "shared")
    parser.add_argument("--pictures", type=int, default=2400)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--victims", nargs="+", default=["run", "worker"])
    parser.add_argument("--only", choices=WHAT)
    parser.add_argument("--small", type=int, nargs="+", default=[10_000, 100_000])
    options = parser.parse_args()
    shared = options.shared.resolve()
    weights = shared / "weights/mobilenet_v2_imagenet_no_top.weights.h5"
    if options.only in (None, "overhead"):
        measure_overhead()
    if options.only in (None, "million"):
        measure_million()
    if options.only in (None, "memory"):
        measure_memory(options.small)
    if options.only in (None, "poison"):
        measure_poison()
    if options.only in (None, "rate"):
        measure_rate(shared, options.pictures, weights)
    if options.only in (None, "warm"):
        measure_warm_rate(shared, options.pictures, weights)
    if options.only in (None, "kills"):
        measure_kills(shared, 300, options.kills, options.victims)


if __name__ == "__main__":
    main()
