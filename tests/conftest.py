"""Fixtures that all tests share."""

from __future__ import annotations

import logging
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

# Kedro sets up logging when it is imported, and that closes the handlers of a running test.
from kedro.framework.cli.cli import KedroCLI
from PIL import Image

ROOT = Path(__file__).parents[1]
SHARED = ROOT.parent / "shared"
# `.ci/run` looks for this text: these tests may be skipped only where the pictures are absent.
SHARED_ABSENT = "the shared pictures are not beside this checkout"


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
    folder = tmp_path / "project"
    folder.mkdir()
    shutil.copytree(ROOT / "conf", folder / "conf")
    shutil.copy(ROOT / "pyproject.toml", folder)
    shutil.copy(ROOT / ".telemetry", folder)
    # Kedro wants the folder to be there; the code is imported from where it is installed.
    (folder / "src").mkdir()
    return folder


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
    """Runs ``kedro run ARGUMENTS`` in the throw-away project, in this process."""
    monkeypatch.chdir(project)

    def run(*arguments: str, folder: Path = project) -> Outcome:
        monkeypatch.chdir(folder)
        # Logging was set up when Kedro was imported, to the standard output of that moment.
        for handler in logging.getLogger().handlers:
            if type(handler) is logging.StreamHandler:
                monkeypatch.setattr(handler, "stream", sys.stdout)
        capfd.readouterr()
        with pytest.raises(SystemExit) as exit_:
            KedroCLI(folder).main(["run", *arguments], prog_name="kedro")
        printed = capfd.readouterr()
        return Outcome(int(exit_.value.code or 0), printed.out, printed.err)

    return run
