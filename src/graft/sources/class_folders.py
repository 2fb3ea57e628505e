"""A folder a class, and such folders with tracks of pictures in them."""

from __future__ import annotations

import os
from pathlib import PurePosixPath

from graft.sources.file_names import is_picture_name
from graft.sources.labelled_file_names import FileNamePattern
from graft.sources.source import ImageSource, Record, make_records
from graft.sources.split_folders import note_given_splits, refuse_split_folders
from graft.sources.stores import FileStore, open_filled_store


def read_class_folders(path: str | os.PathLike[str]) -> ImageSource:
    """A folder a class (``daisy/1.jpg``), in a folder or an archive.

    The label is the first folder of a picture's path, however deep the picture lies below it.
    An archive that packs everything in one outer folder (``flowers/daisy/1.jpg``) is read as
    if packed without it. Pictures outside any class folder are unlabelled.

    Raises:
        GraftError: If there is no file at all, or the folders are those of given splits.
    """
    store = open_filled_store(path)
    inside = _list_inside(store, path)
    rows = (
        Record(name, _first_folder(short)) for name, short in zip(store.names, inside, strict=True)
    )
    notes = _note_splits_of_classes(inside)
    return ImageSource(make_records(rows), store.read, notes, store.identify)


def read_track_folders(
    path: str | os.PathLike[str], pattern: str = r"(?P<group>.+)_[^_]*"
) -> ImageSource:
    """Class folders of tracks (``00025/00038_00005.ppm``: picture 5 of track 38 of class 25).

    The pictures of a track show one thing, so they are a group. Numbers of tracks begin anew in
    each class: the group is class and track, ``00025/00038``.

    Args:
        path: Folder or archive of class folders, as for :func:`read_class_folders`.
        pattern: Regular expression for a whole file name with the named group ``group``, the
            track; unless given, what stands before the last ``_``. Files that do not match are
            in no group.

    Raises:
        GraftError: If there is no file at all, the folders are those of given splits, the
            expression is wrong, or no file matches it.
    """
    expression = FileNamePattern(pattern, needed="group")
    store = open_filled_store(path)
    inside = _list_inside(store, path)
    expression.refuse_unless_any(store.names, path)

    def describe(name: str, short: str) -> Record:
        label, track = _first_folder(short), expression.find(name).get("group")
        return Record(name, label, join_group(label, track))

    rows = map(describe, store.names, inside)
    notes = _note_splits_of_classes(inside)
    return ImageSource(make_records(rows), store.read, notes, store.identify)


def join_group(label: str | None, group: str | None) -> str | None:
    """Make a group unique by its class."""
    return f"{label}/{group}" if label and group else group


def _first_folder(name: str) -> str | None:
    folder, slash, _ = name.partition("/")
    return folder if slash else None


def _list_inside(store: FileStore, path: str | os.PathLike[str]) -> list[str]:
    """Names of the files relative to the folder of the class folders."""
    outer = _outer_folder(store)
    inside = [name[len(outer) :] for name in store.names]
    refuse_split_folders(inside, path)
    return inside


def _note_splits_of_classes(inside: list[str]) -> tuple[str, ...]:
    """As :func:`note_given_splits`, of folders in the class folders (``ants/train/1.png``)."""
    return note_given_splits(name.partition("/")[2] for name in inside)


def _outer_folder(store: FileStore) -> str:
    """The one folder, with its slash, around all class folders of an archive; else ''."""
    folders = {_first_folder(name) for name in store.names}
    if not store.is_archive or len(folders) != 1 or None in folders:
        return ""
    outer = f"{folders.pop()}/"
    inside = [name[len(outer) :] for name in store.names]
    # A licence may lie beside the class folders; a picture there makes the folder a class.
    is_class = any(len(PurePosixPath(n).parts) == 1 and is_picture_name(n) for n in inside)
    return "" if is_class else outer
