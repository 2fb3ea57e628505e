"""Where the tables of labels are: one file, a folder or archive of them, or a pattern."""

from __future__ import annotations

import glob
import os
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from graft.errors import GraftError
from graft.images.decoding import PictureError
from graft.images.file_names import to_path, to_text
from graft.images.layouts.text_files import decode_text, read_bytes
from graft.images.stores import FileStore, is_archive_name, open_store

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
        raise GraftError(
            f"there is no table of labels ({' or '.join(_SUFFIXES)}) here; put one there, or name "
            f"another source; got '{location}'"
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
