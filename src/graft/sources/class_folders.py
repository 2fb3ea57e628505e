"""A folder a class, and such folders with tracks of pictures in them."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from graft.sources.file_names import is_picture_name, may_be_picture_name
from graft.sources.labelled_file_names import FileNamePattern
from graft.sources.source import ImageSource, Record, make_records
from graft.sources.split_folders import (
    AUTO,
    choose_split_folders,
    find_inner_folder,
    list_names,
    note_given_splits,
)
from graft.sources.stores import FileStore, open_filled_store


def read_class_folders(
    path: str | os.PathLike[str], split_folders: str = AUTO, follow_links: bool = False
) -> ImageSource:
    """A folder a class (``daisy/1.jpg``), in a folder or an archive.

    The label is the first folder of a picture's path, however deep the picture lies below it.
    Folders in which all class folders are packed (``flowers/daisy/1.jpg``) are gone through.
    Pictures outside any class folder are unlabelled, other files there are left out. Where the
    folders are given splits (``train/daisy/1.jpg``), the class folders are those in them.

    Args:
        path: Of the folder or archive.
        split_folders: What folders called after splits are, see
            :func:`~graft.sources.split_folders.choose_split_folders`.
        follow_links: Whether links in a folder are followed, wherever they lead.

    Raises:
        GraftError: If there is no file at all, or folders may be given splits as well as classes.
    """
    store = open_filled_store(path, follow_links)
    layout = _lay_out(store, path, split_folders)
    rows = (Record(place.name, place.label, given_split=place.split) for place in layout.places)
    return ImageSource(make_records(rows), store.read, layout.notes, store.identify)


def read_track_folders(
    path: str | os.PathLike[str],
    pattern: str = r"(?P<group>.+)_[^_]*",
    split_folders: str = AUTO,
    follow_links: bool = False,
) -> ImageSource:
    """Class folders of tracks (``00025/00038_00005.ppm``: picture 5 of track 38 of class 25).

    The pictures of a track show one thing, so they are a group. Numbers of tracks begin anew in
    each class: the group is class and track, ``00025/00038``, whatever split it was given.

    Args:
        path: Folder or archive of class folders, as for :func:`read_class_folders`.
        pattern: Regular expression for a whole file name with the named group ``group``, the
            track; unless given, what stands before the last ``_``. Files that do not match are
            in no group.
        split_folders: As for :func:`read_class_folders`.
        follow_links: As for :func:`read_class_folders`.

    Raises:
        GraftError: If there is no file at all, folders may be given splits as well as classes, the
            expression is wrong, or no file matches it.
    """
    expression = FileNamePattern(pattern, needed="group")
    store = open_filled_store(path, follow_links)
    layout = _lay_out(store, path, split_folders)
    expression.refuse_unless_any(store.names, path)

    def describe(place: _Place) -> Record:
        group = join_group(place.label, expression.find(place.name).get("group"))
        return Record(place.name, place.label, group, given_split=place.split)

    records = make_records(map(describe, layout.places))
    return ImageSource(records, store.read, layout.notes, store.identify)


def join_group(label: str | None, group: str | None) -> str | None:
    """Make a group unique by its class."""
    return f"{label}/{group}" if label and group else group


@dataclass(frozen=True)
class _Place:
    """What the place of a file says of it: its name in the store, label and given split."""

    name: str
    label: str | None
    split: str | None


@dataclass(frozen=True)
class _Layout:
    """The files of a source, and what a person should know of how they were found."""

    places: list[_Place]
    notes: tuple[str, ...]


def _lay_out(store: FileStore, path: str | os.PathLike[str], split_folders: str) -> _Layout:
    outer = find_outer_folder(store.names)
    loose = [name for name in store.names if not name.startswith(outer)]
    inside = [name[len(outer) :] for name in store.names if name.startswith(outer)]
    splits = choose_split_folders(inside, split_folders, path)
    inner = {
        folder: find_inner_folder(
            folder, [n.removeprefix(f"{folder}/") for n in inside if n.startswith(f"{folder}/")]
        )
        for folder in splits
    }
    places = [_Place(name, None, None) for name in loose]
    below = []
    for name in inside:
        folder, _, rest = name.partition("/")
        is_given = folder in splits and bool(rest)
        short = rest.removeprefix(inner[folder]) if is_given else "" if splits else name
        below.append(short)
        split = folder if is_given else None
        places.append(_Place(outer + name, _first_folder(short), split))
    order = {name: at for at, name in enumerate(store.names)}
    places.sort(key=lambda place: order[place.name])
    # Files that name no class and are no pictures: a readme, a licence, a script.
    others = [p.name for p in places if p.label is None and not is_picture_name(p.name)]
    if len(others) < len(places):
        left = {*others}
        places = [place for place in places if place.name not in left]
    notes = _note_places(outer, others, [p.name for p in places if p.label is None])
    depth = outer.count("/") + (1 if splits else 0)
    empty = [name for name in store.empty_folders if name.startswith(outer)]
    if empty := [name for name in empty if name.count("/") == depth]:
        notes += (f"Empty        class folders without a file: {list_names(empty)}",)
    notes += store.notes
    # Of folders in the class folders (``ants/train/1.png``) no split is taken.
    return _Layout(places, (*notes, *note_given_splits(n.partition("/")[2] for n in below)))


def _note_places(outer: str, others: list[str], unlabelled: list[str]) -> tuple[str, ...]:
    notes = [f"Folders      the class folders are those in '{outer[:-1]}'"] if outer else []
    for title, kind, names in (("Left out", "file", others), ("No label", "picture", unlabelled)):
        if names:
            count = f"{len(names):,} {kind if len(names) == 1 else f'{kind}s'}"
            notes.append(f"{title:<12} {count} beside the class folders: {list_names(names)}")
    return tuple(notes)


def _first_folder(name: str) -> str | None:
    folder, slash, _ = name.partition("/")
    return folder if slash else None


def find_outer_folder(names: Iterable[str]) -> str:
    """The folder, with its slash, in which all class folders are packed; '' if there is none.

    Pictures beside a few class folders (a preview) do not make a class of the folder that they
    lie in; where most pictures lie in it, it is one.

    Examples:
        >>> find_outer_folder(["pets/pets/cat/1.jpg", "pets/pets/dog/1.jpg", "readme.txt"])
        'pets/pets/'
        >>> find_outer_folder(["cat/1.jpg", "cat/more/2.jpg"])
        ''
    """
    names = list(names)
    pictures = [name for name in names if may_be_picture_name(name)] or names
    outer = ""
    while True:
        below = [name[len(outer) :] for name in pictures if name.startswith(outer)]
        folders = Counter(filter(None, map(_first_folder, below)))
        if len(folders) != 1:
            return outer
        ((folder, count),) = folders.items()
        inside = [n[len(folder) + 1 :] for n in below if n.startswith(f"{folder}/")]
        inner = Counter(filter(None, map(_first_folder, inside)))
        lying_in_it = count - inner.total()
        if not inner or (lying_in_it and (len(inner) < 2 or lying_in_it >= inner.total())):
            return outer
        # Pictures beside the only folder: they would be hidden if that were not all there is.
        if len(below) - count >= count:
            return outer
        outer += f"{folder}/"
