"""From the text of a table to its rows, strictly: no cell is dropped, moved or guessed."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass

from graft.errors import GraftError
from graft.images.layouts.text_files import show

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
