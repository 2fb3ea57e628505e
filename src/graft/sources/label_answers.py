"""Answers that people have given on the page of ``kedro label``: the file's lines, and what holds.

The file only grows. A line is one answer and ends with its time, so that a line that was cut short
is known by its lack; a line never holds a line end, whatever a picture is called.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable
from dataclasses import astuple, dataclass, fields
from urllib.parse import unquote

from graft.sources.label_review import DROP, KEEP, NEW_CLASS, RELABEL
from graft.spreadsheets import escape_formula, unescape_formula

# What the page says beside the actions of a table of reviews. Nothing to be seen, or nothing that
# has a class, is dropped; `TAKE_BACK` takes back the last answer of this person on this picture.
NONE_OF_THESE, BROKEN, TAKE_BACK = "none_of_these", "broken", "take_back"
WORDS = (KEEP, RELABEL, DROP, NONE_OF_THESE, BROKEN, TAKE_BACK)
_MEANT = {NEW_CLASS: RELABEL, NONE_OF_THESE: DROP, BROKEN: DROP}
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")
_YES = "yes"
# Of a picture: its name and the SHA-256 of its file.
Picture = tuple[str, str]


@dataclass(frozen=True)
class Answer:
    """What one person has said of one picture.

    Attributes:
        image_id: The picture.
        image_sha256: Its file, as it was.
        action: One of ``WORDS``.
        new_label: The class of a ``relabel``, which may be one that no picture has yet: the page
            has asked whether that is meant; else empty.
        settles: Whether it was given in sight of all answers before it, and takes their place.
        name: Who said it.
        time: When, in UTC, such as ``2026-11-30T08:15:00.123456Z``; answers that were given
            together have the same.
    """

    image_id: str
    image_sha256: str
    action: str
    new_label: str
    settles: bool
    name: str
    time: str

    @property
    def picture(self) -> Picture:
        """Its name and its content."""
        return self.image_id, self.image_sha256

    @property
    def decision(self) -> tuple[str, str]:
        """What follows from it: two answers with the same agree."""
        return _MEANT.get(self.action, self.action), self.new_label


HEADER = ",".join(column.name for column in fields(Answer)).encode() + b"\n"


def format_answer(answer: Answer) -> bytes:
    """An answer as a line of the file.

    A name that a spreadsheet would take for a formula has an apostrophe before it; line ends, and
    the sign that marks them, are written as in addresses (``%0A``).
    """
    cells = [_YES * value if isinstance(value, bool) else value for value in astuple(answer)]
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow(map(_write_cell, cells))
    return line.getvalue().encode() + b"\n"


def _write_cell(text: str) -> str:
    marked = escape_formula(text).replace("%", "%25")
    return marked.replace("\n", "%0A").replace("\r", "%0D")


def parse_line(line: bytes) -> Answer | None:
    """The answer that a line holds; None if it is none, such as one that was cut short.

    Args:
        line: Without its end.
    """
    try:
        ((*cells, time),) = csv.reader([line.decode().removesuffix("\r")], strict=True)
    except (ValueError, csv.Error):
        return None
    if len(cells) != len(fields(Answer)) - 1 or not _TIME.fullmatch(time):
        return None
    image_id, sha256, action, label, settles, name = (
        unescape_formula(unquote(cell)) for cell in cells
    )
    if action not in WORDS or settles not in ("", _YES) or (action == RELABEL) == (not label):
        return None
    return Answer(image_id, sha256, action, label, settles == _YES, name, time)


def parse_answers(data: bytes) -> tuple[list[Answer], list[int]]:
    """All answers of a file, in their order, and the numbers of lines that are no answers."""
    answers, damaged = [], []
    for number, line in enumerate(data.split(b"\n"), start=1):
        if answer := parse_line(line):
            answers.append(answer)
        elif line.strip() and line.strip() != HEADER.strip():
            damaged.append(number)
    return answers, damaged


def find_standing(answers: Iterable[Answer]) -> dict[Picture, list[Answer]]:
    """What holds of each picture: the last answer of every person, less what was taken back.

    An answer that settles takes the place of all before it. Answers of different people that lead
    to different things all stand: such a picture is disputed.

    Args:
        answers: In the order in which they were given.

    Returns:
        Pictures in the order in which they were first answered; those of which all was taken back
        are left out.
    """
    given: dict[Picture, list[Answer]] = {}
    for answer in answers:
        lines = given.setdefault(answer.picture, [])
        if answer.action != TAKE_BACK:
            lines.append(answer)
            continue
        own = [place for place, line in enumerate(lines) if line.name == answer.name]
        if own:
            del lines[own[-1]]
    standing = {picture: _find_last(lines) for picture, lines in given.items()}
    return {picture: lines for picture, lines in standing.items() if lines}


def _find_last(lines: list[Answer]) -> list[Answer]:
    start = max((place for place, line in enumerate(lines) if line.settles), default=0)
    return list({line.name: line for line in lines[start:]}.values())


def is_disputed(standing: list[Answer]) -> bool:
    """Whether the answers that stand of a picture lead to different things."""
    return len({answer.decision for answer in standing}) > 1
