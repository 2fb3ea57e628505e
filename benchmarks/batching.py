"""Does the service gain by asking about several requests' pictures together? Print a table.

Usage: python benchmarks/batching.py EXPORT [--pictures FOLDER] [--clients N] [--requests N]

EXPORT is a folder of `kedro run --pipelines=export`. For calls of the network at once (networks),
threads of each and most pictures a call: requests a second of N (16) clients with one picture
each, the median and 95th percentile of their seconds, and milliseconds of the
processors a picture, of the service, its decoders and the clients. A call takes whatever waits, so
nobody is kept waiting for a fuller one. Every setting is measured twice, forth and back, for other
work on the machine moves the rates; it hardly moves the milliseconds of the processors.

The service itself asks about each request by itself; what is measured here stands in this file.
"""

from __future__ import annotations

import argparse
import sys
import threading
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np

from asking import make_request, send_all
from graft.classifier.answers import Answer, Findings
from graft.serving.engine import Engine, Model, find_export
from graft.serving.server import run_server
from graft.serving.service_settings import ServiceSettings
from served import read_pictures, run_service

SETTINGS = [
    (networks, threads, most)
    for networks, threads in ((1, 2), (1, 1), (2, 1))
    for most in (1, 4, 8, 16)
]


class _Waiting:
    """A request whose pictures have not been asked about."""

    def __init__(self, pictures: np.ndarray) -> None:
        self.pictures, self.is_taken = pictures, False
        self.is_done = threading.Event()
        self.result: tuple[Findings, list[Answer]] | None = None


class Batched:
    """A model that asks about the pictures of several threads together.

    Args:
        model: Does the work.
        most: Pictures a call.
        networks: Calls at once.
    """

    def __init__(self, model: Model, most: int, networks: int) -> None:
        self.exported, self._model, self._most = model.exported, model, most
        self._slots, self._lock = threading.Semaphore(networks), threading.Lock()
        self._line: list[_Waiting] = []

    def ask(self, pictures: np.ndarray) -> tuple[Findings, list[Answer]]:
        """As :meth:`Model.ask`."""
        own = _Waiting(pictures)
        with self._lock:
            self._line.append(own)
        while not own.is_taken:
            with self._slots:
                self._serve_first()
        own.is_done.wait()
        assert own.result
        return own.result

    def _serve_first(self) -> None:
        with self._lock:
            batch, self._line = self._line[: self._most], self._line[self._most :]
            for one in batch:
                one.is_taken = True
        if not batch:
            return
        findings, answers = self._model.ask(np.concatenate([one.pictures for one in batch]))
        start = 0
        for one in batch:
            rows = slice(start, start + len(one.pictures))
            distances = None if findings.distances is None else findings.distances[rows]
            one.result = Findings(findings.probabilities[rows], distances), answers[rows]
            start = rows.stop
            one.is_done.set()


def serve_batched(export: Path, networks: int, threads: int, most: int) -> None:
    """Run the service with a batched model until SIGTERM."""
    engine = Engine(export, threads)
    at_once = networks
    if most > 1:
        # All that wait for the network do so in a thread of their own.
        engine.model, at_once = Batched(engine.model, most, networks), 32  # type: ignore[assignment]
    run_server(engine, ServiceSettings(port=0, networks=at_once, threads=threads))


def measure(
    export: Path, files: list[bytes], setting: tuple[int, int, int], clients: int, total: int
) -> dict[str, Any]:
    """One row of the table."""
    command = [sys.executable, __file__, str(export), "--serve", *map(str, setting)]
    with run_service(command) as served:
        requests = [make_request(served.address, data) for data in files]
        send_all(served.address, requests, clients, 64)  # the decoders are warm
        before, own = sum(served.count_processor()), time.process_time()
        found = send_all(served.address, requests, clients, total)
        used = sum(served.count_processor()) - before + time.process_time() - own
    if set(found["statuses"]) != {"200"}:
        raise SystemExit(f"not all were answered: {found['statuses']}")
    return {**found, "processor ms": 1000 * used / total}


def main() -> None:
    """Measure every setting and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("export", type=Path)
    shared = Path(__file__).parents[2] / "shared/data/cats_vs_dogs"
    parser.add_argument("--pictures", type=Path, default=shared)
    parser.add_argument("--clients", type=int, default=16)
    parser.add_argument("--requests", type=int, default=300)
    parser.add_argument("--serve", type=int, nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    export = find_export(options.export)
    if options.serve:
        serve_batched(export, *options.serve)
        return
    files = read_pictures(options.pictures, 200)
    found = defaultdict(list)
    for setting in [*SETTINGS, *reversed(SETTINGS)]:
        found[setting].append(measure(export, files, setting, options.clients, options.requests))
    print("| networks × threads | pictures a call | requests/s | median | 95 % | processor ms |")
    print("|---|---|---|---|---|---|")
    for (networks, threads, most), rows in found.items():
        told = [f"{networks} × {threads}", "one" if most == 1 else f"up to {most}"]
        told.append(" / ".join(f"{row['requests a second']:.0f}" for row in rows))
        for name, unit in (("median seconds", " s"), ("95th percentile", " s")):
            told.append(" / ".join(f"{row[name]:.2f}" for row in rows) + unit)
        told.append(" / ".join(f"{row['processor ms']:.1f}" for row in rows))
        print("|", " | ".join(told), "|")


if __name__ == "__main__":
    main()
