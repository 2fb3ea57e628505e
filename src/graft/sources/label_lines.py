"""One character a picture: the labels of a folder as one line of text."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from graft.errors import GraftError
from graft.sources.file_names import is_picture_name, natural_key, to_path
from graft.sources.source import ImageSource, Record, make_records
from graft.sources.stores import open_store
from graft.sources.table_rows import decode_text, read_bytes, show


def read_label_line(
    path: str | os.PathLike[str],
    images: str | os.PathLike[str] | None = None,
    class_names: Mapping[object, object] | None = None,
) -> ImageSource:
    """One character a picture (``OOMM…``), for the first pictures in natural order.

    The pictures are counted in the order of the numbers in their names (``bed_2`` before
    ``bed_10``), the folder being a part of the name. A file without the suffix of a picture is
    not counted. Pictures beyond the last character are unlabelled.

    Args:
        path: The text file. White space and line ends in it mean nothing.
        images: Folder or archive of the pictures; unless given, the folder of the text file.
        class_names: Name of the class of each character, such as ``{O: old, M: modern}``. Unless
            given, every letter and digit is a class of that name.

    Raises:
        GraftError: If there are more characters than pictures, one that is unknown, or none.
    """
    location = to_path(path)
    names = _check_class_names(class_names)
    text = decode_text(read_bytes(location, "a text file with one character a picture"), location)
    labels = [
        _name_class(character, position, names, location)
        for position, character in enumerate("".join(text.split()), start=1)
    ]
    store = open_store(location.parent if images is None else images)
    own = location.name if images is None else None
    pictures = sorted((n for n in store.names if is_picture_name(n) and n != own), key=natural_key)
    _check_count(len(labels), len(pictures), location, location.parent if own else images)
    label_of = dict(zip(pictures, labels, strict=False))
    rows = (Record(name, label_of.get(name)) for name in store.names if name != own)
    return ImageSource(make_records(rows), store.read, store.notes, store.identify)


def _check_class_names(class_names: Mapping[object, object] | None) -> dict[str, str] | None:
    if class_names is None:
        return None
    if not isinstance(class_names, Mapping):
        raise GraftError(f"class_names must be such as {{O: old, M: modern}}; got {class_names!r}")
    for key, value in class_names.items():
        if not isinstance(value, str):
            raise GraftError(
                f"names of classes are text, such as {{{key}: modern}}; got {key}: {value!r}"
            )
    names = {str(key): str(value).strip() for key, value in class_names.items()}
    for key, value in names.items():
        if len(key) != 1 or key.isspace() or not value:
            raise GraftError(
                "class_names gives each character a name, such as {O: old, M: modern}; "
                f"got {show(key)}: {show(value)}"
            )
    return names


def _check_count(labels: int, pictures: int, path: Path, folder: object) -> None:
    if not pictures:
        raise GraftError(
            f"there are no pictures for the {labels:,} labels in '{path}'; put them beside it, or "
            f"name their folder as images; got '{folder}'"
        )
    if not 1 <= labels <= pictures:
        raise GraftError(
            "the pictures get one label each, in their order: at least one label and not more "
            f"than the {pictures:,} pictures in '{folder}'; got {labels:,} labels in '{path}'"
        )


def _name_class(character: str, position: int, names: dict[str, str] | None, location: Path) -> str:
    label = names.get(character) if names else character if character.isalnum() else None
    if label is None:
        known = ", ".join(names) if names else "letters and digits"
        raise GraftError(
            f"character {position:,} of '{location}' is no label; allowed are {known}; "
            f"got {show(character)}"
        )
    return label
