"""The service as a process: started without TensorFlow, ended under load, kept waiting."""

from __future__ import annotations

import contextlib
import os
import re
import resource
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest

from helpers.exports import make_export, write_export
from helpers.pictures import encode

RED = encode(np.full((9, 9, 3), (200, 20, 20), np.uint8))
NODE = shutil.which("node")
FORM = b'--b\r\nContent-Disposition: form-data; name="x"; filename="f"\r\n\r\n'
# What an environment with the extra `serve` alone does not have.
WITHOUT = """
import sys
absent = {"tensorflow", "keras", "kedro", "pandas", "scipy", "sklearn", "pyarrow", "rich", "h5py",
          "matplotlib", "tf2onnx", "onnx", "imagehash"}
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in absent:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Absent())
from graft.__main__ import main
main(["serve", *sys.argv[1:]])
"""


@contextlib.contextmanager
def serve(folder: Path, *options: str, **variables: str) -> Iterator[tuple[subprocess.Popen, str]]:
    """A service of its own, and its address."""
    command = [sys.executable, "-c", WITHOUT, str(folder), "--port=0", "--decoders=1", *options]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        env={**os.environ, **variables},
    )  # fmt: skip
    try:
        assert process.stdout
        lines = iter(process.stdout.readline, "")
        told = []
        for line in lines:
            told.append(line)
            if line.startswith("Ready"):
                break
        else:
            raise AssertionError("".join(told))
        yield process, line.split()[1]
    finally:
        process.kill()
        process.wait()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_export(tmp_path_factory.mktemp("x") / "onnx", make_export(["dark", "red"]))


def ask(client: httpx.Client, address: str) -> httpx.Response:
    return client.post(f"{address}/predict", files={"pictures": ("p", RED, "image/png")})


def warm_up(client: httpx.Client, address: str) -> None:
    """Ask until there is an answer: the decoder may take longer to start than a request may."""
    until = time.monotonic() + 60
    while ask(client, address).status_code != 200:
        assert time.monotonic() < until


def connect(address: str) -> socket.socket:
    host, port = address.removeprefix("http://").split(":")
    return socket.create_connection((host, int(port)), timeout=20)


def test_it_needs_no_tensorflow_and_no_kedro(folder) -> None:
    with serve(folder) as (process, address), httpx.Client(timeout=60) as client:
        answer = ask(client, address)
        assert answer.json()["pictures"][0]["answer"] == "red"
        assert client.get(address).status_code == 200
        assert "server" not in answer.headers
        # A client that says nothing, and one that drips, keep nobody else waiting.
        with connect(address) as quiet:
            quiet.sendall(b"POST /predict HTTP/1.1\r\nHost: 127.0.0.1\r\n")
            assert ask(client, address).status_code == 200
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0


def test_a_request_that_drips_in_takes_nobodys_place_and_is_given_up(folder) -> None:
    options = ("--seconds=2", "--requests-at-once=2")
    with serve(folder, *options) as (_, address), httpx.Client(timeout=60) as client:
        warm_up(client, address)
        with connect(address) as first, connect(address) as second:
            start = time.monotonic()
            for drip in (first, second):
                drip.sendall(
                    b"POST /predict HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 1000\r\n"
                    b"Content-Type: multipart/form-data; boundary=b\r\n\r\n--b\r\n"
                )
            assert ask(client, address).status_code == 200
            for drip in (first, second):
                assert b" 408 " in drip.recv(4096)
        assert 0.5 < time.monotonic() - start < 10


def test_heads_that_drip_in_or_never_end_are_given_up(folder) -> None:
    with serve(folder, "--seconds=2") as (_, address), httpx.Client(timeout=60) as client:
        warm_up(client, address)
        silent, dripping, endless = [connect(address) for _ in range(3)]
        start = time.monotonic()
        dripping.sendall(b"GET / HT")
        endless.sendall(b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 12_000)
        assert endless.recv(4096).startswith(b"HTTP/1.1 400 ")
        assert ask(client, address).status_code == 200
        for connection in (silent, dripping):
            assert connection.recv(4096) == b""
            assert 0.5 < time.monotonic() - start < 10
            connection.close()
        endless.close()
        # One that was answered may ask again, and has as long for it as the first time.
        time.sleep(2.2)
        assert ask(client, address).status_code == 200


def test_a_body_without_end_is_refused_and_not_kept(folder) -> None:
    with serve(folder) as (_, address), connect(address) as endless:
        endless.sendall(
            b"POST /predict HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 1000000000\r\n"
            b"Content-Type: multipart/form-data; boundary=b\r\n\r\n"
        )
        assert b" 413 " in endless.recv(4096)
    with serve(folder, "--request-bytes=100000") as (_, address), connect(address) as endless:
        endless.sendall(
            b"POST /predict HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n"
            b"Content-Type: multipart/form-data; boundary=b\r\n\r\n"
            + b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (FORM, *[bytes(9999)] * 11))
        )
        assert b" 413 " in endless.recv(4096)


def test_many_connections_at_once_are_answered_or_sent_away(folder) -> None:
    form = FORM + RED + b"\r\n--b--"
    request = (
        b"POST /predict HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: %d\r\n"
        b"Content-Type: multipart/form-data; boundary=b\r\n\r\n%s" % (len(form), form)
    )
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    # A process may start with fewer open files than it may ask for.
    resource.setrlimit(resource.RLIMIT_NOFILE, (128, limits[1]))
    with contextlib.ExitStack() as stack:
        try:
            _, address = stack.enter_context(serve(folder, "--requests-at-once=4"))
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, limits)
        connections = [stack.enter_context(connect(address)) for _ in range(200)]
        for connection in connections:
            connection.sendall(request)
        told = [connection.recv(65536).split(b"\r\n\r\n")[0] for connection in connections]
    statuses = [int(head.split()[1]) for head in told]
    assert set(statuses) <= {200, 429}
    assert 200 in statuses
    assert all(b"retry-after" in head.lower() for head in told if b" 429 " in head)


def test_sigterm_finishes_what_is_in_flight(folder) -> None:
    body = FORM + RED + b"\r\n--b--"
    with serve(folder) as (process, address):
        host, port = address.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), timeout=30) as half:
            half.sendall(
                b"POST /predict HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: %d\r\n"
                b"Content-Type: multipart/form-data; boundary=b\r\n\r\n" % len(body) + body[:50]
            )
            time.sleep(0.3)
            process.send_signal(signal.SIGTERM)
            time.sleep(1.0)
            assert process.poll() is None
            with pytest.raises(ConnectionRefusedError):
                socket.create_connection((host, int(port)))
            half.sendall(body[50:])
            told = half.recv(4096)
        assert b" 200 " in told.splitlines()[0]
        assert b"connection: close" in told.lower()
        assert process.wait(20) == 0


def test_sigterm_under_load_answers_all_that_was_sent(folder) -> None:
    statuses: list[int] = []
    ended = threading.Event()
    with serve(folder) as (process, address):

        def load() -> None:
            with httpx.Client(timeout=60) as client:
                while not ended.is_set():
                    try:
                        statuses.append(ask(client, address).status_code)
                    except httpx.ConnectError:
                        ended.set()

        threads = [threading.Thread(target=load) for _ in range(4)]
        for thread in threads:
            thread.start()
        until = time.monotonic() + 60
        while len(statuses) < 8 and time.monotonic() < until:
            time.sleep(0.05)
        process.send_signal(signal.SIGTERM)
        for thread in threads:
            thread.join(60)
        assert process.wait(30) == 0
    assert len(statuses) >= 8
    assert set(statuses) == {200}


def test_mistakes_are_told_in_one_line(folder, tmp_path) -> None:
    cases = {
        (str(tmp_path / "absent"),): "the service needs an exported champion",
        (str(folder), "--port=99999"): "port: ",
    }
    for arguments, reason in cases.items():
        done = subprocess.run(
            [sys.executable, "-c", WITHOUT, *arguments], capture_output=True, text=True
        )
        assert done.returncode == 1
        (line,) = done.stderr.splitlines()
        assert line.startswith(f"Error: {reason}")


def test_the_token_comes_from_the_environment(folder) -> None:
    with serve(folder, GRAFT_TOKEN="s3cret") as (_, address), httpx.Client(timeout=60) as client:
        assert ask(client, address).status_code == 401
        client.headers["Authorization"] = "Bearer s3cret"
        assert ask(client, address).status_code == 200


def test_kedro_serve_finds_the_export_of_an_environment(project: Path) -> None:
    kedro = [sys.executable, "-m", "kedro", "serve", "--env=test"]
    done = subprocess.run(kedro, cwd=project, capture_output=True, text=True)
    assert done.returncode == 1
    assert "kedro run --pipelines=export --env=test" in done.stderr.splitlines()[-1]
    place = project / "data/06_models/test/exported"
    place.mkdir(parents=True)
    write_export(place / "onnx", make_export(["dark", "red"]))
    process = subprocess.Popen(
        [*kedro, "--port=0", "--decoders=1"], cwd=project, text=True, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )  # fmt: skip
    try:
        assert process.stdout
        address = next(line for line in process.stdout if line.startswith("Ready")).split()[1]
        with httpx.Client(timeout=60) as client:
            assert ask(client, address).json()["pictures"][0]["answer"] == "red"
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
    finally:
        process.kill()
        process.wait()


def read_examples(language: str) -> list[str]:
    page = (Path(__file__).parents[2] / "docs/service.md").read_text()
    return re.findall(rf"```{language}\n(.*?)```", page, re.DOTALL)


def test_the_examples_of_the_docs_run(folder, tmp_path) -> None:
    (tmp_path / "cat.jpg").write_bytes(RED)
    (tmp_path / "dog.png").write_bytes(RED)
    with serve(folder) as (_, address):
        shells = read_examples("sh")
        assert shells
        for shell in shells:
            script = shell.replace("http://127.0.0.1:8000", address).replace("MODEL", "colours")
            done = subprocess.run(
                ["bash", "-euc", script], cwd=tmp_path, capture_output=True, text=True
            )
            assert done.returncode == 0, done.stderr
            assert '"error"' not in done.stdout
            assert re.search(r'"(answer|class_name)":"red"', done.stdout)
        runners = {"python": [sys.executable, "-c"]}
        if NODE:
            runners["js"] = [NODE, "--input-type=module", "-e"]
        for language, runner in runners.items():
            (code,) = read_examples(language)
            done = subprocess.run(
                [*runner, code.replace("http://127.0.0.1:8000", address)],
                cwd=tmp_path, capture_output=True, text=True,
            )  # fmt: skip
            assert done.returncode == 0, done.stderr
            name, answer, probability = done.stdout.split()
            assert (name, answer) == ("cat.jpg", "red")
            assert 0.5 < float(probability) <= 1
    if not NODE:
        pytest.skip("there is no Node.js for the example in JavaScript; the others ran")
