"""From the text of a table of labels to rows, strictly: no cell is dropped, moved or guessed."""

from __future__ import annotations

import codecs
import csv
import io
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from pydantic import Field, field_validator, model_validator

from graft.errors import GraftError, PictureError
from graft.parameters.base import StageParameters
from graft.sources.file_names import refuse_giant

# The longer marks first: that of UTF-32 begins with that of UTF-16.
_MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}


def read_bytes(path: Path, what: str) -> bytes:
    """Read a whole file of labels.

    Raises:
        GraftError: If it is missing, no regular file, or as large as no such file is.
    """
    try:
        if not path.is_file():
            raise GraftError(f"needed is {what}; give one that exists; got '{path}'")
        refuse_giant(path.stat().st_size)
        return path.read_bytes()
    except (OSError, PictureError) as error:
        raise GraftError(f"this file of labels cannot be read: {error}; got '{path}'") from error


# What to do about a file that is not UTF-8: of a table, its encoding can be named.
NAME_ENCODING = (
    "save it as UTF-8, or for a table name its encoding, such as cp1252 for one of Excel's"
)
SAVE_AS_UTF8 = "save it as UTF-8 (in Excel: File, Save as, 'CSV UTF-8')"
_WORKBOOKS = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")


def decode_text(
    data: bytes,
    name: str | os.PathLike[str],
    encoding: str | None = None,
    advice: str = NAME_ENCODING,
) -> str:
    """Decode by the byte order mark, else by the encoding given, else as UTF-8.

    Args:
        data: The bytes.
        name: Of the file, for the message.
        encoding: Of the file if it is not UTF-8.
        advice: What to do if it is not text.

    Raises:
        GraftError: If the bytes are not text of that encoding.
    """
    if data.startswith(_WORKBOOKS):
        raise GraftError(
            "a workbook of Excel is no table that can be read here; save it in Excel as "
            f"'CSV UTF-8' (File, Save as) and name that file; got '{name}'"
        )
    marked = next((codec for mark, codec in _MARKS.items() if data.startswith(mark)), None)
    codec = marked or encoding or "utf-8"
    try:
        text = data.decode(codec)
        text.encode()  # a lone surrogate cannot be stored
        if "\0" in text:
            raise ValueError("NUL characters")
    except (LookupError, ValueError) as error:
        raise GraftError(
            f"'{name}' is not text in {codec} ({' '.join(str(error).split())[:120]}); {advice}; "
            f"got encoding {encoding!r}"
        ) from error
    return text


def show(value: str) -> str:
    """A value for a one-line message: quoted, without line ends, not too long."""
    return repr(value if len(value) <= 60 else f"{value[:60]}…")


class TableColumns(StageParameters):
    r"""How a table of labels is to be understood.

    Attributes:
        file_column: Name of the column of file names, relative to the folder of the pictures.
        label_column: Name of the column of labels; an empty cell is an unlabelled picture.
        label_columns: Instead of it, names of columns of 0 and 1, one a class (one-hot): the label
            is the name of the column with 1; a row of zeros is an unlabelled picture.
        group_column: Name of a column of groups, such as patients; taken as it stands.
        group_pattern: Instead of it, a regular expression for a whole file name (without its
            folders) with the named group ``group``, such as ``(?P<group>\d+)_\d+\.ppm``.
        group_within_class: What ``group_pattern`` finds is made unique by the class, for numbers
            of tracks begin anew in each. Set it to false where one group (a patient) has pictures
            of several classes.
        source_column: Name of a column that says where a picture comes from.
        weight_column: Name of a column of numbers from 0 on: what a picture counts in training
            where ``sample_weights: weight`` asks for it.
        split_column: Name of a column of given splits: ``train``, ``val``, ``test`` and the like;
            an empty cell gives none.
        crop_columns: Names of four columns: left, top, right and bottom of the part of the
            picture that the row is about, in pixels, right and bottom exclusive. Four empty cells
            are the whole picture.
        size_columns: Names of two columns: width and height of the picture that the crop was
            measured in. Where the file has another size, for copies are often made smaller, its
            crop is scaled with it.
        file_suffix: Added to every file name, such as ``.jpg`` where the table lists bare names.
        label_digits: Labels that are whole numbers get zeros before them up to so many digits,
            so that their order as text is that of the numbers.
        separator: Character between cells; unless given, the one of ``,``, ``;``, tab and ``|``
            that makes the header hold the columns named here.
        encoding: Of tables that are not UTF-8 and have no byte order mark, such as ``cp1252``.
    """

    file_column: str
    label_column: str | None = None
    label_columns: list[str] = Field(default_factory=list)
    group_column: str | None = None
    group_pattern: str | None = None
    group_within_class: bool = True
    source_column: str | None = None
    weight_column: str | None = None
    split_column: str | None = None
    crop_columns: list[str] = Field(default_factory=list)
    size_columns: list[str] = Field(default_factory=list)
    file_suffix: str = ""
    label_digits: int = Field(0, ge=0, le=20)
    separator: str | None = None
    encoding: str | None = None

    @model_validator(mode="after")
    def _agree(self) -> Self:
        if (self.label_column is None) == (not self.label_columns):
            raise ValueError(
                "labels are in label_column, or in label_columns of 0 and 1, one a class; "
                f"got {self.label_column!r} and {self.label_columns}"
            )
        if self.group_column is not None and self.group_pattern is not None:
            raise ValueError(
                "a group is found by group_column or by group_pattern, not by both; "
                f"got '{self.group_column}' and '{self.group_pattern}'"
            )
        if len(self.crop_columns) not in (0, 4):
            raise ValueError(
                "crop_columns must be the names of four columns, left, top, right and bottom; "
                f"got {self.crop_columns}"
            )
        if len(self.size_columns) not in (0, 2):
            raise ValueError(
                "size_columns must be the names of two columns, width and height; "
                f"got {self.size_columns}"
            )
        if self.size_columns and not self.crop_columns:
            raise ValueError(
                f"size_columns are of use to crop_columns alone; got only {self.size_columns}"
            )
        return self

    @field_validator("separator")
    @classmethod
    def _is_one_character(cls, separator: str | None) -> str | None:
        if separator is not None and (
            len(separator) != 1 or separator in '"\r\n' or not separator.isascii()
        ):
            raise ValueError("separator must be one character")
        return separator

    @property
    def needed(self) -> list[str]:
        """Names of all columns that the table must have."""
        single = [
            self.file_column, self.label_column, *self.label_columns, self.group_column,
            self.source_column, self.weight_column, self.split_column,
        ]  # fmt: skip
        names = [*single, *self.crop_columns, *self.size_columns]
        return [name for name in dict.fromkeys(names) if name is not None]


_SEPARATORS = ",;\t|"


@dataclass(frozen=True)
class Row:
    """A row of a table.

    Attributes:
        place: Where it is, for a person: "row 3 of 'labels.csv'", the header being row 1.
        cells: Text of the needed cells by column, as it stands.
    """

    place: str
    cells: dict[str, str]


def parse_rows(text: str, name: str, needed: list[str], separator: str | None) -> Iterator[Row]:
    """Read the needed columns of a table with a header.

    Rows without any text are skipped. Cells beyond the header may be there if they are empty.

    Args:
        text: The table; quoting as in RFC 4180. A first line ``sep=;`` names the separator.
        name: Of the table, for messages.
        needed: Columns to read.
        separator: Between cells; None to take the one with which the header holds the columns.

    Yields:
        The rows in their order.

    Raises:
        GraftError: If the table is empty, a column is missing or there twice, or a row does not
            fit the header.
    """
    skipped = 0
    if text[:4].lower() == "sep=" and text[5:6] in ("\r", "\n"):
        separator, skipped = separator or text[4], 1
        text = text[5:].removeprefix("\r").removeprefix("\n")
    header, separator = _read_header(text, name, needed, separator)
    position = {column: header.index(column) for column in needed}
    table = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    number = skipped
    try:
        for number, cells in enumerate(table, start=1 + skipped):
            if number == 1 + skipped or not any(cell.strip() for cell in cells):
                continue
            place = f"row {number} of '{name}'"
            if len(cells) < len(header) or any(cell.strip() for cell in cells[len(header) :]):
                raise GraftError(
                    f"every row must have the {len(header)} cells of the header; {place} begins "
                    f"with {show(cells[0])}; got {len(cells)} cells"
                )
            yield Row(place, {column: cells[at] for column, at in position.items()})
    except csv.Error as error:
        raise GraftError(
            f"'{name}' cannot be read as a table ({error}); look for a stray quotation mark; "
            f"got row {number + 1}"
        ) from error


def _read_header(
    text: str, name: str, needed: list[str], separator: str | None
) -> tuple[list[str], str]:
    """The header's names and the separator that brings out the most of the needed ones."""
    headers = {mark: _split_header(text, mark) for mark in separator or _SEPARATORS}
    best = max(headers, key=lambda mark: (len({*needed} & {*headers[mark]}), len(headers[mark])))
    header = headers[best]
    if not any(header):
        raise GraftError(f"the table of labels must begin with a header; got '{name}' without one")
    for column in needed:
        if (count := header.count(column)) != 1:
            fault = f"no column '{column}'" if not count else f"{count} columns '{column}'"
            raise GraftError(
                f"there must be one column of each name that the catalog gives; '{name}' has "
                f"{fault}; its columns are {', '.join(map(show, header[:20]))}"
            )
    return header, best


def _split_header(text: str, separator: str) -> list[str]:
    try:
        cells = next(csv.reader(io.StringIO(text, newline=""), delimiter=separator), [])
    except csv.Error:
        return []
    return [cell.strip() for cell in cells]
