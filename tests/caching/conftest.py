"""Fixtures of the tests of caching."""

from __future__ import annotations

from itertools import count
from pathlib import Path

import pytest

from helpers.caching import TinyProject

_numbers = count()


@pytest.fixture
def tiny(tmp_path: Path) -> TinyProject:
    """A project of three nodes whose package has a name of its own."""
    return TinyProject(tmp_path, f"tiny_{next(_numbers)}")
