"""Splits that are given: the words for them, and folders that are called so."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from itertools import combinations
from pathlib import PurePosixPath

from graft.errors import GraftError
from graft.sources.file_names import is_picture_name
from graft.sources.table_rows import show

# The words by which the Hugging Face Hub finds the splits of folders of pictures.
_WORDS = {
    "train": ("train", "training"),
    "dev": ("validation", "valid", "val", "dev"),
    "test": ("test", "testing", "eval", "evaluation"),
}
_SPLIT_OF = {word: split for split, words in _WORDS.items() for word in words}
# `seg_train`, `TrainingSet`, `trainA`, `test1`, `VAL`
_PART = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")
# What `split_folders` may be: what folders called after splits are.
AUTO, SPLITS, CLASSES = CHOICES = ("auto", "splits", "classes")


def find_split(name: str) -> str | None:
    """The split that a name, or a part of it, means.

    Examples:
        >>> [find_split(name) for name in ("val", "seg_test", "TrainingSet", "trains", "ants")]
        ['dev', 'test', 'train', None, None]
    """
    words = (part.casefold() for part in _PART.findall(name))
    return next((_SPLIT_OF[word] for word in words if word in _SPLIT_OF), None)


def check_split(word: str | None, place: str) -> str | None:
    """A word for a split as it stands in a table, a file name or the catalog.

    Args:
        word: The word; None or empty if no split is given.
        place: Where it stands, for the message.

    Raises:
        GraftError: If it is no word for a split.
    """
    if word is None or not word.strip():
        return None
    if word.strip().casefold() not in _SPLIT_OF:
        known = " · ".join(", ".join(words) for words in _WORDS.values())
        raise GraftError(f"{place}: a split is called {known}; got {show(word)}")
    return word.strip()


def refuse_wrong_choice(choice: str) -> None:
    """Refuse what ``split_folders`` cannot be.

    Raises:
        GraftError: Says what it can be.
    """
    if choice not in CHOICES:
        raise GraftError(f"split_folders must be {' or '.join(CHOICES)}; got {choice!r}")


def choose_split_folders(
    names: Iterable[str], choice: str, path: str | os.PathLike[str]
) -> dict[str, str]:
    """The folders of a source that are its given splits, not classes.

    They are, if every folder is called after a split, alike but for that word (``train``, ``val``;
    ``seg_train``, ``seg_test``), and two of different splits hold folders of the same names
    (``train/ants``, ``val/ants``). A class that is called "train" among trucks and buses stays a
    class. Where both may be meant, a person is asked.

    Args:
        names: Of the files, relative to the folder of these folders.
        choice: ``auto``; ``splits`` or ``classes`` if somebody has decided.
        path: Of the source, for the message.

    Returns:
        Folder to split; empty if the folders are classes.

    Raises:
        GraftError: If both may be meant, or splits are asked for and there are none.
    """
    refuse_wrong_choice(choice)
    inside: dict[str, set[str]] = {}
    for name in filter(is_picture_name, names):
        first, *below = PurePosixPath(name).parts[:-1] or ("",)
        if first:
            inside.setdefault(first, set()).update(below)
    split_of = {folder: split for folder in inside if (split := find_split(folder))}
    if choice == CLASSES:
        return {}
    if choice == SPLITS and not split_of:
        raise GraftError(
            "split_folders=splits needs folders called after splits, such as train and val; "
            f"got {list_names(inside) or 'no folders'} in '{path}'"
        )
    pairs = [pair for pair in combinations(split_of, 2) if len({*map(split_of.get, pair)}) == 2]
    shared = {name for one, other in pairs for name in inside[one] & inside[other]}
    is_each = len(split_of) == len(inside)
    if choice == SPLITS or (shared and is_each and len({*map(_leave_word_out, split_of)}) == 1):
        return split_of
    if not shared and not (pairs and is_each):
        return {}
    found = f"hold folders of the same names ({list_names(shared)})" if shared else "stand alone"
    raise GraftError(
        f"folders called after splits ({list_names(split_of)}) {found}: are they given splits, or "
        "classes? say it with --params split_folders=splits or split_folders=classes; "
        f"got '{path}'"
    )


def _leave_word_out(folder: str) -> str:
    return _PART.sub(lambda part: "" if part[0].casefold() in _SPLIT_OF else part[0], folder)


def find_inner_folder(folder: str, below: Sequence[str]) -> str:
    """The folder, with its slash, that a split folder packs all in; '' if there is none.

    It is called like the split folder itself (``seg_train/seg_train/sea/1.jpg``): whatever else
    is the only folder in a split is a class.

    Args:
        folder: Name of the split folder.
        below: Names of its files, relative to it.
    """
    pictures = [name for name in below if is_picture_name(name)]
    return f"{folder}/" if pictures and all(n.startswith(f"{folder}/") for n in pictures) else ""


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


def list_names(names: Iterable[str]) -> str:
    """Names for a message, quoted; of many the first four."""
    first, more = (ordered := sorted(names))[:4], len(ordered) - 4
    return ", ".join(map(show, first)) + (f" and {more} more" if more > 0 else "")
