"""The service alone, from a wheel in an environment of its own: no TensorFlow, Kedro or pandas."""

from __future__ import annotations

import json
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import numpy as np
import pytest

from helpers.exports import make_export, write_export
from helpers.killing import make_env
from helpers.packaging import DEPLOY, build_wheel, install, read_dockerfile, run
from helpers.pictures import encode

RED = encode(np.full((9, 9, 3), (200, 20, 20), np.uint8))
# An image of the service is to stay below 400 MB; its base with Python takes some 130 of them.
MOST_MEGABYTES = 270
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def commands(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("alone")
    return install(build_wheel(folder), "serve", folder / "environment")


@pytest.fixture(scope="module")
def export(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_export(tmp_path_factory.mktemp("x") / "onnx", make_export(["dark", "red"]))


@contextmanager
def start(command: list[str | Path], folder: Path, **variables: str) -> Iterator[str]:
    """The service, from what it prints to its end; its address."""
    process = subprocess.Popen(
        command, cwd=folder, stdout=subprocess.PIPE, text=True,
        env=make_env() | {"PYTHONPATH": ""} | variables,
    )  # fmt: skip
    try:
        assert process.stdout
        yield next(line for line in process.stdout if line.startswith("Ready")).split()[1]
    finally:
        process.terminate()
        assert process.wait(20) == 0


def test_nothing_that_trains_is_installed(commands: Path) -> None:
    listed = json.loads(run([commands / "pip", "list", "--format=json"], commands, PYTHONPATH=""))
    names = {one["name"].lower() for one in listed}
    assert {"graft", "onnxruntime", "fastapi"} <= names
    assert not names & {
        "tensorflow", "keras", "kedro", "pandas", "scipy", "scikit-learn", "pyarrow", "h5py",
        "matplotlib", "onnx", "tf2onnx",
    }  # fmt: skip
    run([commands / "pip", "check"], commands, PYTHONPATH="")


def test_it_is_small(commands: Path) -> None:
    (libraries,) = commands.parent.glob("lib/python*/site-packages")
    # pip is for installing, and no part of an image.
    files = (file for file in libraries.rglob("*") if file.relative_to(libraries).parts[0] != "pip")
    size = sum(file.stat().st_size for file in files if file.is_file()) / 1e6
    print(f"{size:.0f} MB")
    assert size < MOST_MEGABYTES


def test_it_is_ready_within_two_seconds_and_answers(commands: Path, export: Path, tmp_path) -> None:
    command = [commands / "graft", "serve", export, "--port=0"]
    seconds: list[float] = []
    # The first reads its files from the disk, and others may use the processors meanwhile.
    while len(seconds) < 8 and min(seconds, default=3) > 2:
        begun = time.monotonic()
        with start(command, tmp_path) as address:
            seconds.append(time.monotonic() - begun)
            said = httpx.post(f"{address}/predict", files={"pictures": RED}, timeout=60).json()
            assert said["pictures"][0]["answer"] == "red"
    print("ready after", [round(one, 2) for one in seconds])
    assert min(seconds) <= 2


def test_the_command_of_the_image_serves_and_its_health_check_tells(
    commands: Path, export: Path, tmp_path: Path
) -> None:
    image = read_dockerfile("service")
    port = find_free_port()
    variables = {
        "PATH": f"{commands}:/usr/bin:/bin", "PYTHONPATH": "", "PYTHONDONTWRITEBYTECODE": "1",
        "GRAFT_FOLDER": str(export), "GRAFT_PORT": port,
    }  # fmt: skip
    check = ["/usr/bin/env", *image["HEALTHCHECK"]]
    with start(["/usr/bin/env", *image["CMD"]], tmp_path, **variables) as address:
        assert address == f"http://0.0.0.0:{port}"
        run(check, tmp_path, **variables)
    assert list(tmp_path.iterdir()) == []
    assert subprocess.run(check, capture_output=True, env=make_env() | variables).returncode != 0


def test_the_line_of_the_procfile_serves(commands: Path, export: Path, tmp_path: Path) -> None:
    kind, _, line = (DEPLOY / "Procfile").read_text().strip().partition(": ")
    assert kind == "web"
    variables = {
        "PATH": f"{commands}:/usr/bin:/bin", "GRAFT_FOLDER": str(export), "PORT": find_free_port()
    }  # fmt: skip
    with start(["/bin/sh", "-c", f"exec {line}"], tmp_path, **variables) as address:
        assert address == f"http://0.0.0.0:{variables['PORT']}"


def find_free_port() -> str:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return str(one.getsockname()[1])


def test_to_train_the_extra_is_asked_for(commands: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [commands / "graft", "--env=test"], cwd=tmp_path, capture_output=True, text=True,
        env=make_env() | {"PYTHONPATH": ""},
    )  # fmt: skip
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith("Error: training needs the extra 'train'")
