"""A table of labels: CSV, TSV and the like, one for all pictures or one in each folder."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path, PurePosixPath

import numpy as np

from graft.errors import GraftError, PictureError
from graft.file_hashes import Identity
from graft.sources.file_names import to_path, to_text
from graft.sources.listed_pictures import ListedPicture, RowReader, fit_crops
from graft.sources.source import ImageSource, Record, make_records
from graft.sources.split_folders import note_given_splits
from graft.sources.stores import FileStore, is_archive_name, open_store
from graft.sources.table_rows import TableColumns, decode_text, parse_rows, read_bytes, show

_SUFFIXES = (".csv", ".tsv")


@dataclass(frozen=True)
class Table:
    """A table in a store: its name there, the folder of it, and its text."""

    name: str
    folder: str
    text: str


@dataclass(frozen=True)
class TableFiles:
    """The tables, and the store that they were found in; None for a table given by its name."""

    tables: list[Table]
    store: FileStore | None = None


def find_tables(path: str | os.PathLike[str], encoding: str | None) -> TableFiles:
    """Find and decode the tables.

    Those of a folder or archive are read through its store, as pictures are: none is read from
    outside of it.

    Args:
        path: A table, a folder or archive of tables, or a pattern (``signs/*/GT-*.csv``).
        encoding: Of tables that are not UTF-8.

    Raises:
        GraftError: If there is no table, or one cannot be read.
    """
    location = to_path(path)
    if location.is_dir() or (is_archive_name(location.name) and location.is_file()):
        store = open_store(location)
        names = [name for name in store.names if name.lower().endswith(_SUFFIXES)]
    elif location.is_file():
        text = decode_text(read_bytes(location, "a table of labels"), location.name, encoding)
        return TableFiles([Table(to_text(location.name), "", text)])
    elif glob.has_magic(str(location)):
        root, pattern = _split_pattern(location)
        store = open_store(root)
        found = glob.glob(pattern, root_dir=root, recursive=True)
        matches = {to_text(Path(name).as_posix()) for name in found}
        names = [name for name in store.names if name in matches]
    else:
        raise GraftError(
            "a source with a table of labels is a table, a folder or archive of tables, or a "
            f"pattern such as 'signs/*/*.csv'; give one that exists; got '{location}'"
        )
    if not names:
        workbooks = [name for name in store.names if name.lower().endswith((".xlsx", ".xls"))]
        excel = (
            f"a workbook of Excel ({workbooks[0]}) must be saved as 'CSV UTF-8' first; "
            if workbooks
            else ""
        )
        raise GraftError(
            f"there is no table of labels ({' or '.join(_SUFFIXES)}) here; {excel}put one there, "
            f"or name another source; got '{location}'"
        )
    return TableFiles([_read_table(store, name, encoding) for name in names], store)


def _split_pattern(location: Path) -> tuple[Path, str]:
    """The folder before the first part with a wildcard, and the pattern from that part on."""
    first = next(at for at, part in enumerate(location.parts) if glob.has_magic(part))
    return Path(*location.parts[:first]), str(Path(*location.parts[first:]))


def _read_table(store: FileStore, name: str, encoding: str | None) -> Table:
    try:
        data = store.read(name)
    except PictureError as error:
        raise GraftError(f"a table of labels cannot be read: {error}; got '{name}'") from error
    folder = str(PurePosixPath(name).parent)
    return Table(name, "" if folder == "." else folder, decode_text(data, name, encoding))


_LARGEST = float(np.finfo(np.float32).max)  # weights are float32 in training


def read_label_table(
    path: str | os.PathLike[str],
    columns: TableColumns,
    images: str | os.PathLike[str] | None = None,
) -> ImageSource:
    """Labels, and perhaps groups, sources and crops, in a table of files.

    A file with several crops is several pictures: ``street.jpg``, ``street.jpg#2``, … They are a
    group unless the table says otherwise, for parts of one photograph are not independent. A
    file that the table lists but that is not there is a picture that cannot be read; one that is
    there but not listed is unlabelled. Rows that say the same twice count once.

    Args:
        path: The table, a folder or archive in which every ``.csv`` and ``.tsv`` is one, or such
            a pattern as ``signs/*/GT-*.csv``.
        columns: What its columns mean.
        images: Folder or archive that the file names are relative to; unless given, each table's
            own folder.

    Raises:
        GraftError: If there is no table, a table or a row of it is not as it should be (names the
            row), a file name leaves the folder, two rows contradict each other, or not one listed
            file is there.
    """
    tables = find_tables(path, columns.encoding)
    if images is not None:
        store = open_store(images)
    else:
        store = tables.store or open_store(to_path(path).parent)
    own = {table.name for table in tables.tables} if images is None else set()
    reader = RowReader(columns, store.names)
    listed: dict[str, dict[str | None, ListedPicture]] = {}
    for table in tables.tables:
        folder = table.folder if images is None else ""
        for row in parse_rows(table.text, table.name, columns.needed, columns.separator):
            picture = reader.read(row, folder)
            _add(listed.setdefault(picture.file, {}), picture)
    _check_listed(listed, store.names, reader, str(path if images is None else images))
    rows = {file: list(crops.values()) for file, crops in listed.items()}
    if columns.weight_column is not None:
        _check_weights([row for pictures in rows.values() for row in pictures])
    fitted, scaled = fit_crops(rows, store)
    source = _make_source(store, fitted, own)
    notes = store.notes
    if columns.split_column is None:
        notes = note_given_splits(file for file in fitted if fitted[file][0].label is not None)
    if scaled:
        note = "scaled: their files are not of the size that the table says"
        notes += (f"Crops        {scaled:,} {note}",)
    return replace(source, notes=notes)


def _add(crops: dict[str | None, ListedPicture], picture: ListedPicture) -> None:
    known = crops.setdefault(picture.crop, picture)
    if known.meaning != picture.meaning:
        raise GraftError(
            f"{known.place} and {picture.place} contradict each other about {show(picture.file)}; "
            f"keep one of them; got {known.meaning} and {picture.meaning}"
        )


def _check_listed(
    listed: Mapping[str, object],
    names: Iterable[str],
    reader: RowReader,
    place: str,
) -> None:
    if not listed:
        raise GraftError(f"a table of labels must list files; got none in '{place}'")
    if listed.keys().isdisjoint(names):
        raise GraftError(
            f"not one of the {len(listed):,} files that the table lists is in '{place}'; name the "
            f"folder that they are relative to as images; the first is {show(next(iter(listed)))}"
        )
    reader.refuse_idle_pattern(listed, place)


def _check_weights(pictures: list[ListedPicture]) -> None:
    wrong = [picture for picture in pictures if not _has_weight(picture)]
    if wrong:
        some = "; ".join(f"{picture.place}: {show(picture.weight or '')}" for picture in wrong[:5])
        raise GraftError(
            "the weight of a labelled picture is a number of at least 0, such as 0.5; "
            f"{len(wrong):,} rows have another or none; got {some}{'; …' if len(wrong) > 5 else ''}"
        )


def _has_weight(picture: ListedPicture) -> bool:
    if picture.weight is None:
        return picture.label is None
    # Not all that Python takes for a number is one to others: 1_000, ١, infinity.
    is_number = re.fullmatch(r"\+?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?", picture.weight)
    return bool(is_number) and float(picture.weight) <= _LARGEST


def _make_source(
    store: FileStore, listed: dict[str, list[ListedPicture]], tables: set[str]
) -> ImageSource:
    there = set(store.names)
    taken = there | listed.keys()
    file_of: dict[str, str] = {}
    rows = []
    for file in [*store.names, *(file for file in listed if file not in there)]:
        if file not in listed and file not in tables:
            file_of[file] = file
            rows.append(Record(file))
        for picture in listed.get(file, []):
            image_id = _name_part(file, taken) if file in file_of else file
            file_of[image_id] = file
            group = picture.group or (file if len(listed[file]) > 1 else None)
            facts = (picture.label, group, picture.source, picture.crop, picture.weight)
            rows.append(Record(image_id, *facts, picture.split))

    def read(image_id: str) -> bytes:
        file = file_of[image_id]
        if file not in there:
            raise PictureError("listed in the table, but not there")
        return store.read(file)

    def identify(image_id: str) -> Identity | None:
        file = file_of[image_id]
        return store.identify(file) if file in there else None

    return ImageSource(make_records(rows), read, identify=identify)


def _name_part(file: str, taken: set[str]) -> str:
    """``street.jpg#2``, or the next number that no file and no other part has."""
    name = next(f"{file}#{number}" for number in count(2) if f"{file}#{number}" not in taken)
    taken.add(name)
    return name
