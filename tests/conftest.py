"""Fixtures that all tests share."""

from __future__ import annotations

import copy
import fcntl
import functools
import gc
import io
import json
import logging
import os

# Workers share the processors: small matrices wait for each other's threads many times longer
# than they are computed. NumPy reads it when it is imported, which pytest has not done yet.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import shutil
import struct
import subprocess
import sys
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace

import pytest

# Kedro sets up logging when it is imported, and that closes the handlers of a running test.
from kedro.framework.cli.cli import KedroCLI
from omegaconf import OmegaConf
from omegaconf.base import Container, parse
from PIL import Image

# Sets what TensorFlow and JAX read, for this process and those that it starts, before a test
# imports Keras, which imports JAX, which sets it otherwise.
from graft import fingerprints
from helpers.projects import FinishedRun

ROOT = Path(__file__).parents[1]
# Programs that the tests start run the code of this checkout, whichever one is installed.
os.environ["PYTHONPATH"] = os.pathsep.join(
    [str(ROOT / "src"), *filter(None, [os.environ.get("PYTHONPATH")])]
)
SHARED = ROOT.parent / "shared"
_LOAD = OmegaConf.load
# `.ci/run` looks for this text: these tests may be skipped only where the pictures are absent.
SHARED_ABSENT = "the shared pictures are not beside this checkout"


def pytest_collection_finish() -> None:
    """Thousands of collected tests live to the end: garbage is not looked for among them."""
    gc.freeze()


@pytest.fixture(scope="module", autouse=True)
def _left_by_the_collector() -> None:
    """Nor among what the files before this one left: modules, functions of TensorFlow, reports.

    Every `clear_session` looks for garbage, which took a tenth of the suite.
    """
    gc.collect()
    gc.freeze()


def _list_frames() -> list[SimpleNamespace]:
    """As ``inspect.stack``, of every frame the file alone."""
    frame, found = sys._getframe(1), []
    while frame:
        found.append(SimpleNamespace(filename=frame.f_code.co_filename))
        frame = frame.f_back
    return found


def _load_once(file: io.TextIOBase | str | Path) -> Container:
    """As ``OmegaConf.load``, of a text that it has seen before a copy."""
    if not isinstance(file, io.StringIO):
        return _LOAD(file)
    return copy.deepcopy(_load_text(file.read()))


@functools.cache
def _load_text(text: str) -> Container:
    return _LOAD(io.StringIO(text))


@pytest.fixture(scope="session", autouse=True)
def _short_searches() -> Iterator[None]:
    """Libraries that search, thousands of times, what no test changes."""
    with pytest.MonkeyPatch.context() as patch:
        # Dynaconf asks of each frame of pytest's deep stack which module it is of, for its file.
        own = SimpleNamespace(stack=_list_frames)
        patch.setattr("dynaconf.utils.files.inspect", own)
        patch.setattr("dynaconf.loaders.py_loader.inspect", own)
        # OmegaConf reads the same texts of the same files anew in every test, a hundred a second.
        patch.setattr("omegaconf.base.parse", functools.lru_cache(maxsize=None)(parse))
        patch.setattr("omegaconf.OmegaConf.load", staticmethod(_load_once))
        # The same texts of modules, in every test for which all code is new.
        described = functools.cache(fingerprints.describe_text)
        patch.setattr("graft.fingerprints.describe_text", described)
        # As many environments as there are, each of which a process asks for at most once.
        patch.setattr("graft.text_values._ROOM", 1000)
        # Kedro imports it whenever it keeps a value in memory.
        if find_spec("ibis") is None:
            patch.setitem(sys.modules, "ibis", None)
        yield


@pytest.fixture(scope="session", autouse=True)
def _no_power_cut() -> Iterator[None]:
    """No test outlives the power: none waits until the disk has written."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda descriptor: None)
        yield


@dataclass(frozen=True)
class Outcome:
    """What a command left behind: its exit code and what it printed."""

    code: int
    out: str
    err: str

    @property
    def error(self) -> str:
        """The one line of an error."""
        lines = [line for line in self.err.splitlines() if line.startswith("Error: ")]
        assert len(lines) == 1, self.err
        return lines[0]


@pytest.fixture
def shared() -> Path:
    """The folder of real pictures and weights beside the checkout."""
    if not SHARED.is_dir():
        pytest.skip(SHARED_ABSENT)
    return SHARED


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project of its own, with this project's configuration, whose data is thrown away."""
    return lay_out_project(tmp_path / "project")


def lay_out_project(folder: Path) -> Path:
    folder.mkdir()
    shutil.copytree(ROOT / "conf", folder / "conf")
    shutil.copy(ROOT / "pyproject.toml", folder)
    shutil.copy(ROOT / ".telemetry", folder)
    # Kedro wants the folder to be there; the code is imported from where it is installed.
    (folder / "src").mkdir()
    return folder


@pytest.fixture(scope="session")
def finished_run(tmp_path_factory: pytest.TempPathFactory) -> FinishedRun:
    """One whole run, in a process of its own; who changes anything takes a copy.

    The first worker that needs it makes it for all.
    """
    base = tmp_path_factory.getbasetemp()
    place = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "finished"
    place.mkdir(exist_ok=True)
    told = place / "told.json"
    with (place / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not told.exists():
            shutil.rmtree(place / "project", ignore_errors=True)
            folder = lay_out_project(place / "project")
            command = [sys.executable, "-m", "kedro", "run", "--env=test"]
            ended = subprocess.run(command, cwd=folder, capture_output=True, text=True)
            assert ended.returncode == 0, ended.stderr
            told.write_text(json.dumps([ended.stdout, ended.stderr]))
    return FinishedRun(place / "project", *json.loads(told.read_text()))


@pytest.fixture
def finished_project(project: Path, finished_run: FinishedRun) -> Path:
    """The throw-away project, with all that a whole run of the environment ``test`` has made."""
    shutil.copytree(finished_run.project / "data", project / "data", dirs_exist_ok=True)
    return project


@pytest.fixture
def write_picture() -> Callable[..., Path]:
    """Writes a picture of one colour; the suffix of the path says the format."""

    def write(path: Path, colour: tuple[int, int, int], size: int = 32) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (size, size), colour).save(path)
        return path

    return write


@pytest.fixture
def flowers(tmp_path: Path, write_picture: Callable[..., Path]) -> Path:
    """Twelve reddish roses and twelve greenish ferns, a folder a class."""
    folder = tmp_path / "flowers"
    for number in range(12):
        write_picture(folder / "rose" / f"{number}.png", (200 + number, 40 + number, 60))
        write_picture(folder / "fern" / f"{number}.jpg", (30, 150 + 5 * number, 50 + number))
    return folder


@pytest.fixture
def run_kedro(
    project: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Callable[..., Outcome]:
    """Runs ``kedro run``, or another command, in the throw-away project, in this process."""
    monkeypatch.chdir(project)

    def run(*arguments: str, folder: Path = project, command: str = "run") -> Outcome:
        monkeypatch.chdir(folder)
        # Logging was set up when Kedro was imported, to the standard output of that moment.
        for handler in logging.getLogger().handlers:
            if type(handler) is logging.StreamHandler:
                monkeypatch.setattr(handler, "stream", sys.stdout)
        # A command that configures logging ends the handlers of others; absl's closes its stream,
        # which may be what pytest captured of an earlier test and still needs.
        for reference in list(logging._handlerList):
            if type(reference()).__module__ == "absl.logging" and hasattr(reference(), "stream"):
                reference().stream = sys.__stderr__
        capfd.readouterr()
        with pytest.raises(SystemExit) as exit_:
            KedroCLI(folder).main([command, *arguments], prog_name="kedro")
        printed = capfd.readouterr()
        return Outcome(int(exit_.value.code or 0), printed.out, printed.err)

    return run


@pytest.fixture(scope="session")
def encode() -> Callable[..., bytes]:
    """Function from a picture, a format and options of that format to the bytes of a file."""

    def encode(picture: Image.Image, file_format: str, **options: object) -> bytes:
        buffer = io.BytesIO()
        picture.save(buffer, file_format, **options)
        return buffer.getvalue()

    return encode


@pytest.fixture(scope="session")
def pack_bomb() -> Callable[[int, int], bytes]:
    """Function from width and height to a PNG file of some kilobytes that is all black.

    Written by hand, for Pillow would need the memory that the tests forbid to use.
    """

    def make_chunk(kind: bytes, content: bytes) -> bytes:
        checksum = struct.pack(">I", zlib.crc32(kind + content))
        return struct.pack(">I", len(content)) + kind + content + checksum

    def pack_bomb(width: int, height: int) -> bytes:
        header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
        row = bytes(1 + (width + 7) // 8)
        return b"\x89PNG\r\n\x1a\n" + b"".join(
            make_chunk(kind, content)
            for kind, content in [
                (b"IHDR", header),
                (b"IDAT", zlib.compress(row * height, level=1)),
                (b"IEND", b""),
            ]
        )

    return pack_bomb


@pytest.fixture(params=["folder", "zip", "tar", "tar.gz", "tar.bz2", "tar.xz"])
def pack(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[dict[str, bytes]], Path]:
    """Function that lays files, by name, into a folder or an archive of every kind."""
    kind = request.param

    def pack(files: dict[str, bytes]) -> Path:
        if kind == "folder":
            return write_folder(tmp_path / "pictures", files)
        path = tmp_path / f"pictures.{kind}"
        if kind == "zip":
            return write_zip(path, files)
        return write_tar(path, files)

    return pack


def write_folder(path: Path, files: dict[str, bytes]) -> Path:
    for name, content in files.items():
        file = path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    return path


def write_zip(path: Path, files: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def write_tar(path: Path, files: dict[str, bytes]) -> Path:
    with tarfile.open(path, f"w:{path.suffix[1:].replace('tar', '')}") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return path


@pytest.fixture
def pack_folder(tmp_path: Path) -> Callable[[dict[str, bytes]], Path]:
    """Function that lays files, by name, into a folder."""
    return lambda files: write_folder(tmp_path / "pictures", files)


@pytest.fixture
def pack_zip(tmp_path: Path) -> Callable[[dict[str, bytes]], Path]:
    """Function that lays files, by name, into a zip archive without compressing them."""
    return lambda files: write_zip(tmp_path / "pictures.zip", files)


@pytest.fixture
def pack_tar(tmp_path: Path) -> Callable[..., Path]:
    """Function that lays files, by name, into a tar archive, compressed if asked for."""
    return lambda files, suffix=".tar": write_tar(tmp_path / f"pictures{suffix}", files)


@pytest.fixture(params=["zip", "tar"])
def pack_archive(
    request: pytest.FixtureRequest, tmp_path: Path
) -> Callable[[dict[str, bytes]], Path]:
    """Function that lays files, by name, into a zip and into a tar archive."""
    write = {"zip": write_zip, "tar": write_tar}[request.param]
    return lambda files: write(tmp_path / f"pictures.{request.param}", files)
