"""Is anything lost, mixed or kept when the service is pressed hard? Print a table.

Usage: python benchmarks/load.py EXPORT [--pictures FOLDER] [--requests N] [--only NAME …]

EXPORT is a folder of `kedro run --pipelines=export`; the pictures are of FOLDER (200 of them).

* hostile: N (10,000) requests of 16 clients, every third hostile: damaged pictures, bombs, cut and
  senseless forms and tensors, other methods and addresses; memory of the service and of its
  decoders after the first 2,000 and at the end;
* swaps: the export is replaced 20 times, by one with another network and other class names, under
  load; every answer must be what the model of its digest says of that picture, to within 1e-4;
* ends: 20 services get SIGTERM under load; a client whose connection is refused was not let in,
  every other one must have its answer;
* connections: 1,000 at once, each with a request: answered, or sent away with Retry-After;
* drips: 500 connections whose requests come in byte by byte, while one client goes on asking;
* gigabyte: a body of 1 GB, announced, and in chunks without end;
* bombs: pictures of a few kilobytes that unpack to gigabytes, or take long;
* killed: a decoder is killed every second, under load.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import socket
import struct
import tempfile
import threading
import time
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

import numpy as np
import onnx

from asking import Client, Reply, make_request, send_all
from graft.classifier.exported import CHECKSUMS, FACTS, list_checksums
from graft.serving.engine import find_export, load_model
from hostile import make_whole, mutate
from served import Served, read_pictures, serve

CLIENTS = 16


class Row(NamedTuple):
    """A row of the table."""

    what: str
    found: str
    bar: str
    is_reached: bool


def make_bomb(width: int, height: int) -> bytes:
    """A PNG file of some kilobytes that is all black."""

    def make_chunk(kind: bytes, content: bytes) -> bytes:
        checksum = struct.pack(">I", zlib.crc32(kind + content))
        return struct.pack(">I", len(content)) + kind + content + checksum

    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    rows = zlib.compress(bytes(1 + (width + 7) // 8) * height, level=9)
    chunks = [(b"IHDR", header), (b"IDAT", rows), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(make_chunk(*chunk) for chunk in chunks)


def make_raw(address: str, head: str, body: bytes, kind: str) -> bytes:
    """A request of any sort, well formed as far as HTTP goes."""
    lines = f"{head} HTTP/1.1\r\nHost: {urlsplit(address).netloc}\r\nContent-Type: {kind}\r\n"
    return f"{lines}Content-Length: {len(body)}\r\n\r\n".encode() + body


def make_hostile(address: str, name: str, files: list[bytes]) -> Iterator[bytes]:
    """Hostile requests without end, always the same ones."""
    chance, whole, form = random.Random(0), make_whole(), "multipart/form-data; boundary=b"
    bombs = [make_bomb(12_000, 10_000), make_bomb(60_000, 60_000)]
    head = b'--b\r\nContent-Disposition: form-data; name="p"; filename="p"\r\n\r\n'
    infer = f"POST /v2/models/{name}/infer"
    number = 0
    while True:
        number += 1
        picture = chance.choice(files)
        yield make_request(address, mutate(whole, number))
        yield make_request(address, picture[: chance.randrange(len(picture))])
        yield make_request(address, chance.choice(bombs))
        yield make_raw(address, "POST /predict", head + picture[:999], form)
        yield make_raw(address, "POST /predict", chance.randbytes(2000), form)
        yield make_raw(address, "POST /predict", head * 40 + b"x\r\n--b--", form)
        yield make_raw(address, "POST /predict", picture, "image/jpeg")
        yield make_raw(address, infer, b"[" * 5000, "application/json")
        yield make_raw(address, infer, b'{"inputs": [{"name": "x"}]}', "application/json")
        yield make_raw(address, chance.choice(["PUT /predict", "GET /../x", "POST /"]), b"", "x/y")


def tell(statuses: dict[str, int]) -> str:
    """Answers by status."""
    return ", ".join(f"{count:,} × {status}" for status, count in statuses.items())


def is_sound(statuses: dict[str, int]) -> bool:
    """Whether nothing was lost and nothing a fault of the service."""
    return not any(status == "0" or status >= "500" for status in statuses)


def press(export: Path, files: list[bytes], total: int) -> list[Row]:
    """A third of the requests is hostile."""
    with serve(export) as served:
        name = load_model(export, 1).exported.facts["name"]
        hostile = make_hostile(served.address, name, files)
        good = [make_request(served.address, data) for data in files]
        requests = [next(hostile) if n % 3 == 2 else good[n % len(good)] for n in range(total)]
        first = min(2000, total // 2)
        early = send_all(served.address, requests[:first], CLIENTS, first)["statuses"]
        before = served.read_memories()
        late = send_all(served.address, requests[first:], CLIENTS, total - first)["statuses"]
        after = served.read_memories()
    statuses = dict(sorted((Counter(early) + Counter(late)).items()))
    return [
        Row(f"{total:,} requests, every third hostile", tell(statuses), "no 5xx, none lost",
            is_sound(statuses) and sum(statuses.values()) == total),
        Row("memory with decoders, after the first 2,000 and at the end",
            f"{before:.0f} / {after:.0f} MB", "± 5 %", abs(after / before - 1) <= 0.05),
    ]  # fmt: skip


def alter(export: Path, folder: Path) -> Path:
    """A copy of an export with another network and other class names."""
    shutil.copytree(export, folder)
    facts = json.loads((folder / FACTS).read_bytes())
    facts["class_names"] = [f"another {name}" for name in facts["class_names"]]
    (folder / FACTS).write_text(json.dumps(facts, ensure_ascii=False))
    network, classes = onnx.load(folder / facts["file"]), len(facts["class_names"])
    bias = next(
        one
        for one in network.graph.initializer
        if list(one.dims) == [classes] and one.data_type == onnx.TensorProto.FLOAT
    )
    values = onnx.numpy_helper.to_array(bias)
    moved = values + np.linspace(0, 1, classes, dtype=values.dtype)
    bias.CopyFrom(onnx.numpy_helper.from_array(moved, bias.name))
    onnx.save(network, folder / facts["file"])
    contents = {one.name: one.read_bytes() for one in folder.iterdir() if one.name != CHECKSUMS}
    (folder / CHECKSUMS).write_bytes(list_checksums(contents))
    return folder


def replace(folder: Path, other: Path) -> None:
    """Put a copy of another export in the place of one, as the catalog does."""
    draft, aside = folder.with_name("draft"), folder.with_name("aside")
    shutil.copytree(other, draft)
    folder.rename(aside)
    draft.rename(folder)
    shutil.rmtree(aside)


@contextmanager
def loaded(
    served: Served, requests: list[bytes], look: Callable[[int, Reply], None]
) -> Iterator[None]:
    """Sixteen clients that ask until the block ends or nobody listens any more."""
    ended = threading.Event()

    def work(start: int) -> None:
        number = start
        with Client(served.address) as client:
            while not ended.is_set():
                try:
                    look(number % len(requests), client.ask(requests[number % len(requests)]))
                except ConnectionRefusedError:
                    return
                number += 1

    threads = [threading.Thread(target=work, args=(start * 7,)) for start in range(CLIENTS)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        ended.set()
        for thread in threads:
            thread.join()


def swap(export: Path, files: list[bytes]) -> list[Row]:
    """Twenty swaps under load."""
    with tempfile.TemporaryDirectory() as place:
        kinds = [export, alter(export, Path(place) / "other")]
        expected: dict[str, list[dict[str, float]]] = {}
        for kind in kinds:
            model = load_model(kind, 1)
            pixels = np.stack([model.exported.decode(data) for data in files])
            names = model.exported.class_names
            rows = model.ask(pixels)[0].probabilities
            expected[model.exported.digest] = [
                dict(zip(names, map(float, row), strict=True)) for row in rows
            ]
        folder = Path(place) / "onnx"
        shutil.copytree(export, folder)
        counts: Counter[str] = Counter()
        mixed: list[int] = []

        def look(number: int, reply: Reply) -> None:
            counts[str(reply.status)] += 1
            if reply.status != 200:
                return
            said = reply.read()
            right = expected[said["model"]][number]
            listed = {one["name"]: one["probability"] for one in said["pictures"][0]["classes"]}
            if reply.headers["x-graft-model"] != said["model"] or any(
                abs(right.get(name, 9.0) - value) > 1e-4 for name, value in listed.items()
            ):
                mixed.append(number)

        taken = 0
        with serve(folder) as served:
            requests = [make_request(served.address, data) for data in files]
            with loaded(served, requests, look):
                for number in range(20):
                    before = ask_digest(served)
                    replace(folder, kinds[(number + 1) % 2])
                    until = time.monotonic() + 30
                    while ask_digest(served) == before and time.monotonic() < until:
                        time.sleep(0.05)
                    taken += ask_digest(served) != before
    found = f"{taken} taken up; {tell(counts)}; {len(mixed)} mixed"
    fine = taken == 20 and set(counts) == {"200"} and not mixed
    return [Row("20 swaps of the model under load", found, "none lost or mixed", fine)]


def ask_digest(served: Served) -> str:
    """Which model answers now."""
    place = urlsplit(served.address).netloc
    with Client(served.address) as client:
        reply = client.ask(f"GET /v2 HTTP/1.1\r\nHost: {place}\r\n\r\n".encode())
    return reply.headers["x-graft-model"]


def end(export: Path, files: list[bytes]) -> list[Row]:
    """Twenty SIGTERMs under load."""
    counts: Counter[str] = Counter()
    codes: Counter[int] = Counter()
    for number in range(20):
        with serve(export) as served:
            requests = [make_request(served.address, data) for data in files]
            with loaded(served, requests, lambda _, reply: counts.update([str(reply.status)])):
                # At another moment of the load each time.
                time.sleep(1 + number * 0.037)
                codes[served.end()] += 1
    found = f"{tell(counts)}; exit codes {dict(codes)}"
    fine = set(counts) == {"200"} and set(codes) == {0}
    return [Row("20 SIGTERMs under load", found, "none lost, exit code 0", fine)]


def connect_many(export: Path, files: list[bytes]) -> list[Row]:
    """A thousand connections, each with a request."""
    counts: Counter[str] = Counter()
    with serve(export) as served:
        requests = [make_request(served.address, data) for data in files]
        send_all(served.address, requests, CLIENTS, 64)
        before = served.read_memory()
        clients = [Client(served.address) for _ in range(1000)]
        together = threading.Barrier(len(clients))

        def work(number: int) -> None:
            client = clients[number]
            client.connect()
            together.wait()
            reply = client.ask(requests[number % len(requests)])
            known = reply.status != 429 or "retry-after" in reply.headers
            counts[str(reply.status) if known else "429 without Retry-After"] += 1

        threads = [threading.Thread(target=work, args=(n,)) for n in range(len(clients))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for client in clients:
            client.close()
        later = send_all(served.address, requests, CLIENTS, 200)["statuses"]
        after = served.read_memory()
    found = (
        f"{tell(dict(sorted(counts.items())))}; {before:.0f} / {after:.0f} MB; then {tell(later)}"
    )
    fine = set(counts) <= {"200", "429"} and set(later) == {"200"}
    return [Row("1,000 connections, a request each at once", found, "answered or 429", fine)]


def drip(export: Path, files: list[bytes]) -> list[Row]:
    """Requests that come in byte by byte."""
    seconds = 10
    with serve(export, f"--seconds={seconds}") as served:
        requests = [make_request(served.address, data) for data in files]
        place = urlsplit(served.address)
        calm = send_all(served.address, requests, 1, 100)
        drips = []
        for _ in range(500):
            drips.append(socket.create_connection((place.hostname, place.port)))
        # Half of them keep the head waiting, half of them the body.
        cut = requests[0].index(b"\r\n\r\n") + 100
        for number, one in enumerate(drips):
            one.sendall(requests[0][:cut] if number % 2 else b"P")
        begun = time.monotonic()
        ended = threading.Event()

        def go_on() -> None:
            byte = 1
            while not ended.wait(0.5):
                for number, one in enumerate(drips):
                    start = cut if number % 2 else 0
                    with suppress(OSError):
                        one.sendall(requests[0][start + byte : start + byte + 1])
                byte += 1

        thread = threading.Thread(target=go_on)
        thread.start()
        pressed = send_all(served.address, requests, 1, 100)
        until = begun + seconds + 10
        told: Counter[str] = Counter()
        for one in drips:
            one.settimeout(max(0.1, until - time.monotonic()))
            try:
                data = one.recv(100)
                told[data.split()[1].decode() if data else "closed"] += 1
            except TimeoutError:
                told["kept"] += 1
            except OSError:
                told["closed"] += 1
        ended.set()
        thread.join()
        for one in drips:
            one.close()
    slower = pressed["95th percentile"] / calm["95th percentile"]
    found = f"{tell(dict(sorted(told.items())))}; 95 % of one client {slower:.1f} times as long"
    return [
        Row(f"500 connections that drip, given up after {seconds} s", found,
            "none kept, others answered", not told["kept"] and set(pressed["statuses"]) == {"200"})
    ]  # fmt: skip


def chunk(data: bytes) -> bytes:
    """A chunk of a body whose length is not announced."""
    return b"%x\r\n%s\r\n" % (len(data), data)


def send_gigabyte(export: Path, files: list[bytes]) -> list[Row]:
    """A body of 1 GB."""
    rows = []
    with serve(export) as served:
        place = urlsplit(served.address)
        send_all(served.address, [make_request(served.address, data) for data in files], 16, 64)
        form = "Content-Type: multipart/form-data; boundary=b\r\n"
        head = f"POST /predict HTTP/1.1\r\nHost: {place.netloc}\r\n{form}"
        part = b'--b\r\nContent-Disposition: form-data; name="p"; filename="p"\r\n\r\n'
        block = bytes(2**20)
        kinds = {
            "announced": (f"Content-Length: {10**9}", b"", block),
            "in chunks": ("Transfer-Encoding: chunked", chunk(part), chunk(block)),
        }
        for kind, (length, first, more) in kinds.items():
            before = peak = served.read_memory()
            with socket.create_connection((place.hostname, place.port), 60) as connection:
                connection.sendall(f"{head}{length}\r\n\r\n".encode() + first)
                # It may be cut off as soon as it has its answer.
                with suppress(OSError):
                    for _ in range(1000):
                        connection.sendall(more)
                        peak = max(peak, served.read_memory())
                answer = connection.recv(4096).split()[1].decode()
            rows.append(
                Row(f"a body of 1 GB, {kind}", f"{answer}; {before:.0f} MB, at most {peak:.0f} MB",
                    "413, at most 64 MB more", answer == "413" and peak < before + 64)
            )  # fmt: skip
    return rows


def explode(export: Path, files: list[bytes]) -> list[Row]:
    """Pictures that are larger than they look."""
    bombs = [make_bomb(side, side) for side in (6_000, 12_000, 40_000, 65_000)]
    with serve(export) as served:
        good = [make_request(served.address, data) for data in files]
        send_all(served.address, good, CLIENTS, 200)
        before = peak = served.read_memories()
        ended = threading.Event()

        def watch() -> None:
            nonlocal peak
            while not ended.wait(0.02):
                peak = max(peak, served.read_memories())

        thread = threading.Thread(target=watch)
        thread.start()
        requests = [make_request(served.address, bomb) for bomb in bombs]
        # The last one is within the limit of pixels, so it is decoded.
        requests.append(make_request(served.address, make_bomb(4_800, 4_900)))
        statuses = send_all(served.address, requests, CLIENTS, 200)["statuses"]
        ended.set()
        thread.join()
        after = send_all(served.address, good, CLIENTS, 64)["statuses"]
    sizes = f"{min(map(len, bombs)) / 1000:.0f} to {max(map(len, bombs)) / 1000:.0f} kB"
    found = f"{tell(statuses)}; {before:.0f} MB, at most {peak:.0f} MB; then {tell(after)}"
    fine = set(statuses) == {"200", "413"} and set(after) == {"200"} and peak < before + 512
    return [Row(f"200 bombs of {sizes}", found, "refused, at most 512 MB more", fine)]


def kill(export: Path, files: list[bytes]) -> list[Row]:
    """Ten decoders are killed under load."""
    counts: Counter[str] = Counter()
    with serve(export) as served:
        requests = [make_request(served.address, data) for data in files]
        send_all(served.address, requests, CLIENTS, 64)
        killed = 0
        with loaded(served, requests, lambda _, reply: counts.update([str(reply.status)])):
            for number in range(10):
                time.sleep(1)
                decoders = served.list_decoders()
                os.kill(decoders[number % len(decoders)], signal.SIGKILL)
                killed += 1
    return [
        Row(f"{killed} decoders killed under load", tell(counts), "none lost, none refused",
            set(counts) == {"200"})
    ]  # fmt: skip


PROOFS: dict[str, Callable[[Path, list[bytes]], list[Row]]] = {
    "swaps": swap, "ends": end, "connections": connect_many, "drips": drip,
    "gigabyte": send_gigabyte, "bombs": explode, "killed": kill,
}  # fmt: skip


def main() -> None:
    """Prove all of it; exit code 1 if a bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("export", type=Path)
    shared = Path(__file__).parents[2] / "shared/data/cats_vs_dogs"
    parser.add_argument("--pictures", type=Path, default=shared)
    parser.add_argument("--requests", type=int, default=10_000)
    parser.add_argument("--only", nargs="+", choices=["hostile", *PROOFS])
    options = parser.parse_args()
    export, files = find_export(options.export), read_pictures(options.pictures, 200)
    proofs = {"hostile": lambda export, files: press(export, files, options.requests), **PROOFS}
    print("| what | found | bar | reached |")
    print("|---|---|---|---|")
    all_reached = True
    for name in options.only or proofs:
        for row in proofs[name](export, files):
            all_reached &= row.is_reached
            told = "yes" if row.is_reached else "**no**"
            print("|", " | ".join([row.what, row.found, row.bar, told]), "|", flush=True)
    raise SystemExit(not all_reached)


if __name__ == "__main__":
    main()
