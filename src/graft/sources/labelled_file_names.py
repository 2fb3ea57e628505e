"""Labels and groups in file names, found by regular expressions."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import PurePosixPath

from graft.errors import GraftError
from graft.sources.source import ImageSource, Record, make_records
from graft.sources.split_folders import check_split, note_given_splits
from graft.sources.stores import open_filled_store


class FileNamePattern:
    """A regular expression for whole file names, without their folders.

    Args:
        pattern: The expression.
        needed: Named group that it must have.

    Raises:
        GraftError: If it is no regular expression, or has no such group.
    """

    def __init__(self, pattern: str, needed: str) -> None:
        self.pattern, self._needed = pattern, needed
        try:
            self._expression = re.compile(pattern)
        except (re.error, RecursionError, OverflowError, TypeError) as error:
            raise GraftError(
                f"the file name pattern is no regular expression: {error}; got {pattern!r}"
            ) from None
        if needed not in self._expression.groupindex:
            raise GraftError(
                f"the file name pattern needs a named group (?P<{needed}>…); got {pattern!r}"
            )

    def find(self, name: str) -> dict[str, str | None]:
        """Named groups found in a file's name; an empty group counts as none."""
        match = self._expression.fullmatch(PurePosixPath(name).name)
        return {key: value or None for key, value in match.groupdict().items()} if match else {}

    def refuse_unless_any(self, names: Iterable[str], path: str | os.PathLike[str]) -> None:
        """Refuse a pattern that finds its group in no name at all.

        Raises:
            GraftError: Shows the first name.
        """
        names = list(names)
        if not any(self.find(name).get(self._needed) for name in names):
            raise GraftError(
                f"no file name in '{path}' matches the pattern '{self.pattern}'; "
                f"the first file is {names[0]!r}"
            )


def read_labelled_file_names(
    path: str | os.PathLike[str], pattern: str, follow_links: bool = False
) -> ImageSource:
    r"""Labels in the file names, found by a regular expression.

    Args:
        path: Folder or archive; pictures may lie in folders below it.
        pattern: Regular expression that must match a whole file name (without its folders),
            with a named group ``label`` and, optionally, ``group``, ``source`` and ``split``. For
            ``cat.0.jpg``: ``(?P<label>\w+)\.\d+\.jpg``. Files that do not match are unlabelled.
        follow_links: Whether links in a folder are followed, wherever they lead.

    Raises:
        GraftError: If the expression is wrong, no file matches it, or what it finds as ``split``
            is no word for one.
    """
    expression = FileNamePattern(pattern, needed="label")
    store = open_filled_store(path, follow_links)
    expression.refuse_unless_any(store.names, path)

    def describe(name: str) -> Record:
        found = expression.find(name)
        split = check_split(found.get("split"), f"'{name}'")
        return Record(
            name, found.get("label"), found.get("group"), found.get("source"), given_split=split
        )

    records = make_records(map(describe, store.names))
    labelled = records.loc[records["label"].notna(), "image_id"]
    notes = store.notes
    if records["given_split"].isna().all():
        notes += note_given_splits(labelled)
    return ImageSource(records, store.read, notes, store.identify)
