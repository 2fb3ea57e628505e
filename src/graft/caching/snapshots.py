"""The state of a source of files: which files there are, and the hash of each."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from graft.file_hashes import FileHashes, Identity, identify

Snapshot = dict[str, str]
# What can be told of a file without reading it.
Sighting = dict[str, Identity | str]


def look_at(files: Iterable[tuple[str, str]]) -> Sighting:
    """Name and state of every file of a source; nothing is read.

    Args:
        files: Names, each once, and places, of :meth:`graft.datasets.atomic.SourceDataset.walk`.

    Returns:
        Name to identity, in the order of the names. What cannot be read, and links, stand there
        with what they are.
    """
    return dict(sorted((name, _look_at_file(path)) for name, path in files))


def read_sighting(sighting: Sighting, hashes: FileHashes) -> Snapshot:
    """What the files that were seen held then.

    Args:
        sighting: Of :func:`look_at`.
        hashes: Known hashes: a file is read only if it is not among them.

    Returns:
        Name to SHA-256, or to what it is in place of a hash. A file that has changed since it
        was seen, before anyone read it, stands there as such: no later content is equal to it.
    """
    return {name: _read_file(state, hashes) for name, state in sighting.items()}


def count_changes(old: Snapshot, new: Snapshot) -> str:
    """What happened between two snapshots, in words.

    Examples:
        >>> count_changes({"a": "1", "b": "2"}, {"b": "3", "c": "4", "d": "1"})
        '1 new, 1 renamed, 1 changed'
    """
    added, gone = new.keys() - old.keys(), old.keys() - new.keys()
    come, left = Counter(new[name] for name in added), Counter(old[name] for name in gone)
    renamed = (come & left).total()
    changed = sum(old[name] != new[name] for name in old.keys() & new.keys())
    counts = {
        "new": len(added) - renamed,
        "renamed": renamed,
        "changed": changed,
        "gone": len(gone) - renamed,
    }
    return ", ".join(f"{count:,} {what}" for what, count in counts.items() if count)


def _look_at_file(place: str) -> Identity | str:
    path = Path(place)
    try:
        if path.is_symlink() and path.is_dir():
            return f"link to {os.readlink(path)}"
        return identify(path) if path.is_file() else "no regular file"
    except OSError as error:
        return f"cannot be read: {error.strerror}"


def _read_file(state: Identity | str, hashes: FileHashes) -> str:
    if isinstance(state, str):
        return state
    found = hashes.find(state)
    if found is not None:
        return found
    path = Path(state.name)
    try:
        found = hashes.hash(path)
        if identify(path) == state:
            return found
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    return f"changed since it was seen, ctime {state.stamp[4]}"
