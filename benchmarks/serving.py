"""How quick is the service, and how quick could it be? Print JSON.

Usage: python benchmarks/serving.py EXPORT [--pictures FOLDER] [--clients N] [--requests N]

EXPORT is a folder of `kedro run --pipelines=export`; the pictures are of FOLDER (200 of them). On
the same processors, decoders and load generator counted in:

* start: seconds from the command to its line "Ready", the best of three;
* one client, and N (16) clients with a connection each: requests/s of one picture each, median and
  95th percentile of their seconds;
* bare: pictures/s of ONNX Runtime on pixels that are in memory, one picture a call, as many calls
  at once as the service makes; and with all threads in one call;
* share: the service's rate of the quicker bare one's, each of three rounds in which one follows
  the other, for other work on the machine changes both;
* processor: milliseconds a picture of the network, of decoding, of the clients, and of the service
  for all else (HTTP, forms, processes, distance, figures). The network's share of all of it is the
  share above without the luck of the moment; the share possible is what it would be if all else
  cost nothing.

Options of `graft serve` are set by their variables, such as GRAFT_NETWORKS and GRAFT_THREADS.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from asking import make_request, send_all
from graft.compute.streams import count_workers
from graft.serving.engine import Model, find_export, load_model
from served import Served, read_pictures, serve

_SECONDS = 5


def measure_bare(model: Model, pixels: np.ndarray, at_once: int) -> tuple[float, float]:
    """Pictures/s of the network alone, one a call, and milliseconds of the processors of each."""
    until = time.perf_counter() + _SECONDS

    def work(number: int) -> int:
        count = 0
        while time.perf_counter() < until:
            row = (number + count) % len(pixels)
            model.run(pixels[row : row + 1])
            count += 1
        return count

    begun, used = time.perf_counter(), time.process_time()
    with ThreadPoolExecutor(at_once) as pool:
        total = sum(pool.map(work, range(at_once)))
    taken = time.perf_counter() - begun
    return total / taken, 1000 * (time.process_time() - used) / total


def measure_decoding(model: Model, files: list[bytes]) -> float:
    """Milliseconds of the processors that decoding a picture takes."""
    used = time.process_time()
    for data in files:
        model.exported.decode(data)
    return 1000 * (time.process_time() - used) / len(files)


def measure_service(
    served: Served, requests: list[bytes], clients: int, total: int
) -> dict[str, Any]:
    """What clients see, and milliseconds of the processors a picture."""
    service, decoders = served.count_processor()
    own = time.process_time()
    found = send_all(served.address, requests, clients, total)
    own = time.process_time() - own
    later = served.count_processor()
    taken = {"service": later[0] - service, "decoders": later[1] - decoders, "clients": own}
    return {**found, "ms": {name: 1000 * used / total for name, used in taken.items()}}


def compare(
    served: Served, export: Path, files: list[bytes], clients: int, total: int
) -> dict[str, Any]:
    """Rates and costs of the service and of the network alone, in rounds."""
    narrow, wide = load_model(export, 1), load_model(export, 0)
    pixels = np.stack([narrow.exported.decode(data) for data in files[:64]])
    requests = [make_request(served.address, data) for data in files]
    rounds = []
    for _ in range(3):
        found = measure_service(served, requests, clients, total)
        if set(found["statuses"]) != {"200"}:
            raise SystemExit(f"not all were answered: {found['statuses']}")
        several, network = measure_bare(narrow, pixels, count_workers())
        one, _ = measure_bare(wide, pixels, 1)
        decoding = measure_decoding(narrow, files)
        ms = found.pop("ms")
        bare = max(several, one)
        rounds.append(
            {
                "share": found["requests a second"] / bare,
                "share of the processors' time": network / sum(ms.values()),
                "share possible": network / (network + decoding + ms["clients"]),
                f"{clients} clients": found,
                "bare, calls at once": several,
                "bare, all threads in one call": one,
                "processor ms": {
                    "network": network,
                    "decoding": decoding,
                    "clients": ms["clients"],
                    "all else": ms["service"] + ms["decoders"] - network - decoding,
                },
            }
        )
    shares = ("share", "share of the processors' time", "share possible")
    medians = {name: statistics.median(one[name] for one in rounds) for name in shares}
    return {**medians, "rounds": rounds}


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
    files = read_pictures(options.pictures, 200)
    starts = []
    for _ in range(3):
        with serve(export) as served:
            starts.append(served.seconds)
    result: dict[str, Any] = {"start, seconds": min(starts)}
    with serve(export) as served:
        requests = [make_request(served.address, data) for data in files]
        send_all(served.address, requests, options.clients, 64)  # the decoders are warm
        result["one client"] = send_all(served.address, requests, 1, options.requests // 4)
        result |= compare(served, export, files, options.clients, options.requests)
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
