"""What a person has decided about doubtful labels: a table of reviews, strictly read."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from graft.errors import GraftError
from graft.sources.table_rows import SAVE_AS_UTF8, Row, decode_text, parse_rows, read_bytes, show
from graft.spreadsheets import unescape_formula

KEEP, RELABEL, DROP = "keep", "relabel", "drop"
# A class that no picture has is a slip of the pen, unless it is said to be meant.
NEW_CLASS = "new_class"
ACTIONS = (KEEP, RELABEL, NEW_CLASS, DROP)
_NEEDED = ["image_id", "image_sha256", "action", "new_label"]


def read_label_review(path: Path) -> pd.DataFrame:
    """Read a filled copy of ``label_issues.csv`` (CSV, ``;`` or tabs, with or without BOM).

    Rows whose action is empty are undecided and left out; capitals and spaces around an action
    do not matter.

    Returns:
        A row a picture, all text: ``place`` (file and row, for messages), ``image_id``,
        ``image_sha256``, ``action`` (``keep``, ``relabel``, ``new_class`` or ``drop``) and
        ``new_label``.

    Raises:
        GraftError: If a column is missing, an action is another word, a relabelled picture has
            no new label, or a picture stands in two rows; names file and row.
    """
    data = read_bytes(path, "a table of reviews")
    text = decode_text(data, path.name, advice=SAVE_AS_UTF8)
    places: dict[str, str] = {}
    rows = []
    for written in parse_rows(text, path.name, _NEEDED, separator=None):
        cells = {column: unescape_formula(cell) for column, cell in written.cells.items()}
        row = Row(written.place, cells)
        image_id = row.cells["image_id"]
        if image_id in places:
            raise GraftError(
                f"a picture has one action; keep one of {places[image_id]} and {row.place}; "
                f"got {show(image_id)} twice"
            )
        places[image_id] = row.place
        if row.cells["action"].strip():
            rows.append({"place": row.place, **_check(row)})
    return pd.DataFrame(rows, columns=["place", *_NEEDED], dtype="str")


def _check(row: Row) -> dict[str, str]:
    action = row.cells["action"].strip().lower()
    new_label = row.cells["new_label"]
    if action not in ACTIONS:
        raise GraftError(
            f"{row.place}: an action is keep, relabel, new_class, drop, or empty while it is open; "
            f"got {show(row.cells['action'])}"
        )
    if action in (RELABEL, NEW_CLASS) and not new_label.strip():
        raise GraftError(
            f"{row.place}: {action} needs the right label in the column new_label; got an empty "
            "cell"
        )
    return {**row.cells, "action": action, "new_label": new_label}
