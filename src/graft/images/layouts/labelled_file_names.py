"""Labels in file names."""

from __future__ import annotations

import os

from graft.images.layouts.patterns import FileNamePattern
from graft.images.layouts.split_folders import note_given_splits
from graft.images.sources import ImageSource, Record, make_records
from graft.images.stores import open_filled_store


def read_labelled_file_names(path: str | os.PathLike[str], pattern: str) -> ImageSource:
    r"""Labels in the file names, found by a regular expression.

    Args:
        path: Folder or archive; pictures may lie in folders below it.
        pattern: Regular expression that must match a whole file name (without its folders),
            with a named group ``label`` and, optionally, ``group`` and ``source``. For
            ``cat.0.jpg``: ``(?P<label>\w+)\.\d+\.jpg``. Files that do not match are unlabelled.

    Raises:
        GraftError: If the expression is wrong, or no file matches it.
    """
    expression = FileNamePattern(pattern, needed="label")
    store = open_filled_store(path)
    expression.refuse_unless_any(store.names, path)

    def describe(name: str) -> Record:
        found = expression.find(name)
        return Record(name, *(found.get(key) for key in ("label", "group", "source")))

    records = make_records(map(describe, store.names))
    labelled = records.loc[records["label"].notna(), "image_id"]
    return ImageSource(records, store.read, note_given_splits(labelled), store.identify)
