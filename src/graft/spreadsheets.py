"""Text in tables for people: what a spreadsheet would take for a formula is marked as text.

A file may be called ``=HYPERLINK("http://…")``, and whoever opens a list of files in a spreadsheet
would run it. An apostrophe before such a text keeps it a text (OWASP, "CSV Injection"); taking one
away gives the text back, for one is also put before a text that begins so already.
"""

from __future__ import annotations

import re
from collections.abc import Callable

import pandas as pd

# The wide forms are taken for the narrow ones by spreadsheets in Chinese and Japanese.
_FORMULA = re.compile("'*[=+\\-@\t\r\n＝＋－＠]")
_ESCAPED = re.compile(f"'{_FORMULA.pattern}")


def escape_formula(text: str) -> str:
    """Mark a text as a text where a spreadsheet would see a formula.

    Examples:
        >>> [escape_formula(text) for text in ("=1+1", "'=1", "rose", "'t Hof")]
        ["'=1+1", "''=1", 'rose', "'t Hof"]
    """
    return f"'{text}" if _FORMULA.match(text) else text


def unescape_formula(text: str) -> str:
    """The text that :func:`escape_formula` was given, or any other as it is.

    Examples:
        >>> [unescape_formula(text) for text in ("'=1+1", "''=1", "=1+1", "'t Hof")]
        ['=1+1', "'=1", '=1+1', "'t Hof"]
    """
    return text[1:] if _ESCAPED.match(text) else text


def change_texts(table: pd.DataFrame, change: Callable[[str], str]) -> pd.DataFrame:
    """A table in which every text, and every name of a column, is changed."""

    def change_text(value: object) -> object:
        return change(value) if isinstance(value, str) else value

    columns = {
        name: column.map(change_text, na_action="ignore")
        for name, column in table.items()
        if isinstance(column.dtype, pd.StringDtype | pd.CategoricalDtype) or column.dtype == object
    }
    changed = table.assign(**columns)
    types = {name: table[name].dtype for name in columns}
    # A categorical column has other categories now.
    kept = {name: type_ for name, type_ in types.items() if type_ != "category"}
    return changed.astype(kept).rename(columns=change_text)
