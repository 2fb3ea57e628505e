"""Folders that are called after splits: given divisions must not be taken for classes."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from itertools import combinations
from pathlib import PurePosixPath

from graft.errors import GraftError
from graft.images.file_names import is_picture_name
from graft.images.layouts.text_files import show

# The words by which the Hugging Face Hub finds the splits of folders of pictures.
_WORDS = {
    "train": ("train", "training"),
    "dev": ("validation", "valid", "val", "dev"),
    "test": ("test", "testing", "eval", "evaluation"),
}
_SPLIT_OF = {word: split for split, words in _WORDS.items() for word in words}
# `seg_train`, `TrainingSet`, `trainA`, `test1`, `VAL`
_PART = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")


def find_split(folder: str) -> str | None:
    """The split that a folder's name, or a part of it, means.

    Examples:
        >>> [find_split(name) for name in ("train", "seg_test", "TrainingSet", "trains", "ants")]
        ['train', 'test', 'train', None, None]
    """
    words = (part.casefold() for part in _PART.findall(folder))
    return next((_SPLIT_OF[word] for word in words if word in _SPLIT_OF), None)


def refuse_split_folders(names: Iterable[str], path: str | os.PathLike[str]) -> None:
    """Refuse folders of classes that are, or may be, the splits of a divided data set.

    A class that is called "train" among trucks and buses stays a class. Folders are splits if
    two of different splits hold folders of the same names (``train/ants``, ``val/ants``). They
    may be if every one is called after a split (``train/1.png``, ``test/2.png``).

    Args:
        names: Of the files, relative to the folder of the class folders.
        path: Of the source, for the message.

    Raises:
        GraftError: Says how to decide.
    """
    inside: dict[str, set[str]] = {}
    for name in filter(is_picture_name, names):
        first, *below = PurePosixPath(name).parts[:-1] or ("",)
        if first:
            inside.setdefault(first, set()).update(below)
    split_of = {folder: split for folder in inside if (split := find_split(folder))}
    pairs = [pair for pair in combinations(split_of, 2) if len({*map(split_of.get, pair)}) == 2]
    shared = {name for one, other in pairs for name in inside[one] & inside[other]}
    if not shared and not (pairs and len(split_of) == len(inside)):
        return
    listed = _list(split_of)
    found = f"with folders of the same names in them ({_list(shared)})" if shared else "alone"
    raise GraftError(
        f"folders called after splits ({listed}) {found} would become classes; given splits are "
        "not read yet: to have all pictures divided anew, put the class folders of all of them "
        "into one folder, or name one of them as the source; if they are classes, rename them; "
        f"got '{path}'"
    )


def note_given_splits(names: Iterable[str]) -> tuple[str, ...]:
    """A line for a person if pictures lie in folders of different splits, which are not kept.

    Args:
        names: Of the files whose labels are known without those folders.
    """
    folders = {part for name in names for part in PurePosixPath(name).parts[:-1]}
    split_of = {name: _SPLIT_OF[word] for name in folders if (word := name.casefold()) in _SPLIT_OF}
    if len({*split_of.values()}) < 2:
        return ()
    listed = ", ".join(sorted(split_of))
    return (f"Given        folders {listed}: no split is taken from them, all are divided anew",)


def _list(names: Iterable[str]) -> str:
    first, more = (ordered := sorted(names))[:4], len(ordered) - 4
    return ", ".join(map(show, first)) + (f" and {more} more" if more > 0 else "")
