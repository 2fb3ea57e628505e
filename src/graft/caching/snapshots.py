"""The state of a source of files: which files there are, and the hash of each."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from graft.images.file_hashes import FileHashes

Snapshot = dict[str, str]


def take_snapshot(files: Iterable[tuple[str, Path]], hashes: FileHashes) -> Snapshot:
    """Name and content of every file of a source; cheap where nothing was touched.

    Args:
        files: Names, each once, and places, of :meth:`graft.datasets.atomic.SourceDataset.walk`.
        hashes: Known hashes: a file is read only if it is not among them.

    Returns:
        Name to SHA-256, in the order of the names. What cannot be read, and links, stand there
        with what they are in place of a hash.
    """
    return dict(sorted((name, _describe(path, hashes)) for name, path in files))


def count_changes(old: Snapshot, new: Snapshot) -> str:
    """What happened between two snapshots, in words.

    Examples:
        >>> count_changes({"a": "1", "b": "2"}, {"b": "3", "c": "4", "d": "1"})
        '1 new, 1 renamed, 1 changed'
    """
    added, gone = new.keys() - old.keys(), old.keys() - new.keys()
    contents = [old[name] for name in gone]
    renamed = 0
    for name in added:
        if new[name] in contents:
            contents.remove(new[name])
            renamed += 1
    changed = sum(old[name] != new[name] for name in old.keys() & new.keys())
    counts = {
        "new": len(added) - renamed,
        "renamed": renamed,
        "changed": changed,
        "gone": len(gone) - renamed,
    }
    return ", ".join(f"{count:,} {what}" for what, count in counts.items() if count)


def _describe(path: Path, hashes: FileHashes) -> str:
    try:
        if path.is_symlink() and path.is_dir():
            return f"link to {os.readlink(path)}"
        return hashes.hash(path) if path.is_file() else "no regular file"
    except OSError as error:
        return f"cannot be read: {error.strerror}"
