"""What was told, without the ends of lines that a terminal of 80 columns needs."""

from __future__ import annotations

import logging
from collections.abc import Iterable

import pytest

_MARGIN = " " * 13


def read_told(caplog: pytest.LogCaptureFixture, level: int = logging.NOTSET) -> list[str]:
    """A text for each that was told at this level or above, its title in front."""
    return join_lines(one.getMessage() for one in caplog.records if one.levelno >= level)


def join_lines(lines: Iterable[str]) -> list[str]:
    """Lines and those that continue them."""
    told: list[str] = []
    for line in lines:
        if line.startswith(_MARGIN) and told:
            told[-1] += f" {line.removeprefix(_MARGIN)}"
        else:
            told.append(line)
    return told
