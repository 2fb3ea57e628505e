"""What a run says: sentences that fit a terminal, progress as a bar there, as lines in a pipe."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

Item = TypeVar("Item")

_SECONDS_BETWEEN_LINES = 15.0
_COLUMNS = 67  # beside a title
logger = logging.getLogger(__name__)


def tell(title: str, text: str, *values: object) -> None:
    """Say something in lines of at most 80 columns, the title in front of the first.

    A letter of Chinese and the like takes two columns. A word that is longer, such as a path, is
    left whole.

    Args:
        title: At most 12 letters.
        text: A sentence or two.
        values: What stands in it in the place of ``%s`` and the like.
    """
    _say(logging.INFO, title, text % values if values else text)


def warn(title: str, text: str, *values: object) -> None:
    """Say, as :func:`tell` does, what should not be overlooked."""
    _say(logging.WARNING, title, text % values if values else text)


def _say(level: int, title: str, text: str) -> None:
    for number, line in enumerate(_wrap(text)):
        logger.log(level, "%-12s %s", "" if number else title, line)


def _wrap(text: str) -> list[str]:
    # A name may hold the end of a line: what follows stands under the title too.
    if text.isascii() and text.isprintable() and len(text) <= _COLUMNS:
        return [text]
    from rich.console import Console
    from rich.text import Text

    lines = Text(text, overflow="ignore").wrap(Console(width=_COLUMNS), _COLUMNS)
    return [line.plain.rstrip() for line in lines]


def track(
    items: Iterable[Item], total: int, activity: str, unit: str, step: int = 1
) -> Iterator[Item]:
    """Yield the items and show how far they are, their rate and the time left.

    Args:
        items: What to loop over.
        total: Number of units in all of them.
        activity: What is being done, in a word ("extracting").
        unit: What is counted ("pictures").
        step: Units an item; the last item may hold fewer.
    """
    if sys.stderr.isatty():
        yield from _track_in_terminal(items, total, activity, unit, step)
    else:
        yield from _track_in_pipe(items, total, activity, unit, step)


def _track_in_terminal(
    items: Iterable[Item], total: int, activity: str, unit: str, step: int
) -> Iterator[Item]:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description:<12}"),
        BarColumn(bar_width=24),
        TextColumn("{task.completed:,.0f}/{task.total:,.0f}"),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
    )
    started = time.monotonic()
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(activity, total=total, rate="")
        done = 0
        for item in items:
            yield item
            done = min(done + step, total)
            rate = done / max(time.monotonic() - started, 1e-9)
            progress.update(task, completed=done, rate=f"{_round(rate)} {unit}/s")


def _track_in_pipe(
    items: Iterable[Item], total: int, activity: str, unit: str, step: int
) -> Iterator[Item]:
    started = last_line = time.monotonic()
    done = 0
    for item in items:
        yield item
        done = min(done + step, total)
        now = time.monotonic()
        if now - last_line >= _SECONDS_BETWEEN_LINES and done < total:
            last_line = now
            rate = done / (now - started)
            logger.info(
                "%-12s %s of %s %s, %s/s, %.0f s left",
                activity, f"{done:,}", f"{total:,}", unit, _round(rate), (total - done) / rate,
            )  # fmt: skip


def _round(rate: float) -> str:
    """Two digits are enough, but 0 is not a rate."""
    return f"{rate:,.0f}" if rate >= 10 else f"{rate:.2g}"
