"""How quick is the service, and is nothing lost under load? Print JSON.

Usage: python benchmarks/serving.py EXPORT [--pictures FOLDER] [--clients N] [--requests N]

EXPORT is a folder of `kedro run --pipelines=export`; the pictures are of FOLDER (200 of them). On
the same processors, load generator counted in:

* start: seconds from the command to its line "Ready", the best of three;
* bare: pictures/s of ONNX Runtime on pixels that are in memory, one picture a call, and sixteen;
* clients: requests/s of one picture each from N (16) clients with a connection each, and the
  median and 95th percentile of their seconds; then every third one is hostile (no picture, or a
  cut one);
* statuses of all, and memory of the service before and after;
* processor: milliseconds of the processors a picture, of the bare network and of the service with
  its decoders, which other programs on the machine hardly change.

GRAFT_NETWORKS and GRAFT_THREADS in the environment set the service as usual.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import signal
import subprocess
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from itertools import cycle, islice
from pathlib import Path
from threading import local
from typing import Any

import httpx
import numpy as np

from graft.serving.engine import find_export, load_model


def start(export: Path) -> tuple[subprocess.Popen, str, float]:
    """The service, its address, and the seconds that it took to be ready."""
    begun = time.perf_counter()
    command = [sys.executable, "-m", "graft", "serve", str(export), "--port=0"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout
    address = next(line for line in process.stdout if line.startswith("Ready")).split()[1]
    return process, address, time.perf_counter() - begun


def end(process: subprocess.Popen) -> int:
    """End it as a supervisor does."""
    process.send_signal(signal.SIGTERM)
    return process.wait(60)


def measure_bare(export: Path, files: list[bytes]) -> dict[str, float]:
    """Pictures/s of the network alone, one a call and sixteen."""
    model = load_model(export, 0)
    pixels = np.stack([model.exported.decode(data) for data in files[:64]])
    found = {}
    for size in (1, 16):
        begun, count, used = time.perf_counter(), 0, time.process_time()
        while time.perf_counter() - begun < 5:
            model.run(pixels[count % 48 : count % 48 + size])
            count += size
        found[f"pictures a second, {size} a call"] = count / (time.perf_counter() - begun)
        milliseconds = 1000 * (time.process_time() - used) / count
        found[f"processor ms a picture, {size} a call"] = milliseconds
    return found


def read_memory(process: subprocess.Popen) -> float:
    """Resident memory of the process itself, in MB; its decoders are apart."""
    pages = int(Path(f"/proc/{process.pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def count_children() -> float:
    """Seconds of the processors that ended processes and their own have taken."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def load(address: str, bodies: list[bytes], clients: int, requests: int) -> dict[str, Any]:
    """Send pictures from many clients and time every answer."""
    own = local()

    def ask(body: bytes) -> tuple[int, float]:
        if not hasattr(own, "client"):
            own.client = httpx.Client(timeout=120)
        begun = time.perf_counter()
        answer = own.client.post(f"{address}/predict", files={"pictures": body})
        return answer.status_code, time.perf_counter() - begun

    begun = time.perf_counter()
    with ThreadPoolExecutor(clients) as pool:
        told = list(pool.map(ask, islice(cycle(bodies), requests)))
    taken = time.perf_counter() - begun
    seconds = np.array([one[1] for one in told])
    return {
        "requests a second": requests / taken,
        "median seconds": float(np.median(seconds)),
        "95th percentile": float(np.quantile(seconds, 0.95)),
        "statuses": dict(Counter(str(one[0]) for one in told)),
    }


def main() -> None:
    """Measure all of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("export", type=Path)
    shared = Path(__file__).parents[2] / "shared/data/cats_vs_dogs"
    parser.add_argument("--pictures", type=Path, default=shared)
    parser.add_argument("--clients", type=int, default=16)
    parser.add_argument("--requests", type=int, default=600)
    options = parser.parse_args()
    export = find_export(options.export)
    names = sorted(file for file in options.pictures.rglob("*") if file.is_file())
    files = [file.read_bytes() for file in names[:200]]
    starts = []
    for _ in range(3):
        process, _, seconds = start(export)
        starts.append(seconds)
        end(process)
    result: dict[str, Any] = {"start, seconds": min(starts), "bare": measure_bare(export, files)}
    process, address, _ = start(export)
    used = count_children()
    try:
        load(address, files, options.clients, 64)  # the decoders are warm
        before = read_memory(process)
        for clients in (1, options.clients):
            count = options.requests if clients > 1 else options.requests // 4
            result[f"{clients} clients"] = load(address, files, clients, count)
        hostile = [files[0], files[1], b"no picture", files[2], files[3], files[4][:999]]
        result["a third hostile"] = load(address, hostile, options.clients, options.requests)
        result["memory before and after, MB"] = [before, read_memory(process)]
    finally:
        result["exit code after SIGTERM"] = end(process)
    answered = 64 + options.requests // 4 + options.requests + options.requests * 2 // 3
    result["processor ms a picture, service"] = 1000 * (count_children() - used) / answered
    bare = result["bare"]["pictures a second, 1 a call"]
    several = result[f"{options.clients} clients"]
    result["share of the bare network"] = several["requests a second"] / bare
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
