"""Fixtures that all tests share."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SHARED = ROOT.parent / "shared"
# `.ci/run` looks for this text: these tests may be skipped only where the pictures are absent.
SHARED_ABSENT = "the shared pictures are not beside this checkout"


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
    (folder / "src").symlink_to(ROOT / "src")
    return folder
