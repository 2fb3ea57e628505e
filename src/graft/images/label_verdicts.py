"""What a person has decided about doubtful labels: a table of verdicts, strictly read."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from graft.errors import GraftError
from graft.images.layouts.table_rows import Row, parse_rows
from graft.images.layouts.text_files import decode_text, read_bytes, show
from graft.spreadsheets import unescape_formula

KEEP, RELABEL, DROP = VERDICTS = ("keep", "relabel", "drop")
_NEEDED = ["image_id", "image_sha256", "verdict", "new_label"]


def read_label_verdicts(path: Path) -> pd.DataFrame:
    """Read a filled copy of ``label_doubts.csv`` (CSV, ``;`` or tabs, with or without BOM).

    Rows whose verdict is empty are undecided and left out; capitals and spaces around a verdict
    do not matter.

    Returns:
        A row a verdict, all text: ``place`` (file and row, for messages), ``image_id``,
        ``image_sha256``, ``verdict`` (``keep``, ``relabel`` or ``drop``), ``new_label``.

    Raises:
        GraftError: If a column is missing, a verdict is another word, a relabelled picture has
            no new label, or a picture stands in two rows; names file and row.
    """
    text = decode_text(read_bytes(path, "a table of verdicts"), path.name)
    places: dict[str, str] = {}
    rows = []
    for written in parse_rows(text, path.name, _NEEDED, separator=None):
        cells = {column: unescape_formula(cell) for column, cell in written.cells.items()}
        row = Row(written.place, cells)
        image_id = row.cells["image_id"]
        if image_id in places:
            raise GraftError(
                f"a picture has one verdict; keep one of {places[image_id]} and {row.place}; "
                f"got {show(image_id)} twice"
            )
        places[image_id] = row.place
        if row.cells["verdict"].strip():
            rows.append({"place": row.place, **_check(row)})
    return pd.DataFrame(rows, columns=["place", *_NEEDED], dtype="str")


def _check(row: Row) -> dict[str, str]:
    verdict = row.cells["verdict"].strip().lower()
    new_label = row.cells["new_label"].strip()
    if verdict not in VERDICTS:
        raise GraftError(
            f"{row.place}: a verdict is keep, relabel, drop, or empty while it is open; "
            f"got {show(row.cells['verdict'])}"
        )
    if verdict == RELABEL and not new_label:
        raise GraftError(
            f"{row.place}: relabel needs the right label in the column new_label; got an empty cell"
        )
    return {**row.cells, "verdict": verdict, "new_label": new_label}
